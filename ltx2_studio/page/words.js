/**
 * What the page says: names of fields and values, sentences for states, times and sizes.
 *
 * Nothing here has to know a field, a value or a stage: what has no words of its own is shown by its name, so that
 * what the contract adds appears without a change.
 */

const LABELS = {
  quality: "Quality",
  resolution: "Size",
  duration: "Length",
  camera: "Camera",
  camera_strength: "Camera strength",
  aspect: "Shape",
  image: "Start image",
  end_image: "End image",
  audio_url: "Sound of your own",
  image_strength: "Hold on to it",
  spatial_upscaler: "Upscale",
  temporal_upscaler: "48 fps",
  detailer: "Detailer",
  audio: "Sound",
  "control.type": "Follow",
  "control.video": "Control video",
  "control.strength": "How closely",
  "control.preprocessed": "It shows edges, depth or pose already",
};

const STAGES = {
  preparing: "Preparing",
  waiting: "Waiting for the GPU",
  loading: "Loading the model",
  control: "Reading the structure",
  prompt: "Reading the prompt",
  sampling: "Sampling",
  refining: "Refining",
  detailing: "Adding detail",
  decoding: "Decoding frames",
  encoding: "Encoding",
  delivering: "Delivering",
};

/** What a prompt is made of; the order in which the model follows it best. */
export const HINTS = [
  ["Shot", "Close-up, medium, wide; the lens or the look."],
  ["Light", "Place, time of day, weather, where the light comes from."],
  ["Who or what", "Age, clothing, material; the same words throughout."],
  ["What happens", "Step by step, with verbs, in the present tense."],
  ["Camera", "Only what agrees with the camera that is chosen below."],
  ["Sound", "Ambience, noises, music. Speech in quotation marks; 25 words in ten seconds."],
];

/** Prompts to begin with. */
export const EXAMPLES = [
  [
    "Rain on the window",
    "Medium close-up, soft window light. A grey cat sits on a wooden sill while rain runs down the glass behind it. It " +
      "blinks, turns its head slowly towards the camera and begins to purr; its flank rises and falls. Far thunder " +
      "rolls, rain taps on the pane, the purring stays close and warm.",
  ],
  [
    "A stone that skips",
    "Wide shot on a pebble beach at dusk, handheld. A woman in a yellow raincoat walks along the water's edge, the wind " +
      "pulling at her hood. She stops, picks up a flat stone, weighs it in her hand and throws it; it skips three " +
      'times. She laughs and says in English, "Did you see that?" Waves drag over the stones, gulls cry overhead.',
  ],
  [
    "First bread",
    "Close-up in a dark bakery before dawn, warm light from the oven only. Two floury hands lift a round loaf onto a " +
      "wooden board and break it open; steam rises slowly through the light. The crust crackles, the oven hums, and " +
      "somewhere behind a radio plays quietly.",
  ],
];

/** A name as a person writes it: `dolly_in` is "Dolly in". */
export const plain = (name) => {
  const text = String(name).replaceAll("_", " ").trim();
  return text.charAt(0).toUpperCase() + text.slice(1);
};

// By its place in the job: what is called image in an object is no start image.
export const label = (field) => LABELS[field.path] ?? plain(field.stem ?? field.name);

/** A value of a field as a person writes it. */
export const shown = (field, value) =>
  typeof value === "number" && field.name === "duration" ? `${value} s` : plain(value);

/** What a field's description says of one of its values ("fast: distilled checkpoint; pro: …"). */
export const about = (field, value) => {
  const part = (field.hint ?? "").split(/[;.] ?/).find((text) => text.trim().startsWith(`${value}: `));
  return part ? plain(part.slice(part.indexOf(": ") + 2)) : "";
};

export const stage = (name) => STAGES[name] ?? plain(name);

/** Seconds as a person says them; a guess is not said to the second. */
export const left = (seconds) => {
  if (seconds < 5) return "a few seconds left";
  if (seconds < 90) return `about ${Math.ceil(seconds)} s left`;
  return `about ${Math.round(seconds / 60)} min left`;
};

export const clock = (seconds) =>
  `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

export const size = (bytes) =>
  bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

export const credits = (count) => (count === 1 ? "1 credit" : `${count.toLocaleString()} credits`);

/** What becomes of a generation, in one line. */
export const doing = (generation) => {
  const { state, progress, waiting, cancelling } = generation;
  if (cancelling) return "Cancelling";
  if (state === "running" && progress) {
    const step = progress.steps ? ` · step ${progress.step ?? 0} of ${progress.steps}` : "";
    return `${stage(progress.stage)}${step}`;
  }
  if (state === "running") return "Starting";
  if (state === "succeeded") return generation.input.preview ? "Preview" : "Done";
  if (state === "failed") return "Failed";
  if (state === "cancelled") return "Cancelled";
  if (state === "expired") return "Expired";
  return waited(waiting);
};

const waited = (waiting) => {
  if (!waiting || waiting.seconds < 10) return "In the queue";
  if (waiting.reason === "no_workers") return "No worker is available now";
  if (waiting.reason === "busy") return "In the queue · the workers are busy";
  return "Starting a GPU, usually 1 to 3 min";
};

/** Why there is no video, for the person who waited for it. */
export const ended = (generation) => {
  if (generation.state === "cancelled") return "You cancelled it.";
  if (generation.state === "expired") return "Nothing was heard of it in time.";
  return generation.error?.message ?? "It failed.";
};
