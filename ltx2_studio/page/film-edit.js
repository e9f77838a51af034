/** A film that is being put together: clips in order, each with how it follows the one before. */

export const EMPTY_FILM = { clips: [], music: undefined, gain_db: -3 };

/** The clips with one more at the end. A video may be in a film twice: a key tells its two places apart. */
export const added = (clips, generation) => [
  ...clips,
  { generation, kind: "cut", seconds: 0.5, key: `${generation}-${Math.max(0, ...clips.map((clip) => Number(clip.key.split("-").pop()))) + 1}` },
];
