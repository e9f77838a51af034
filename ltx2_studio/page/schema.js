/**
 * A form's fields, read from the contract's JSON Schema.
 *
 * Nothing here names a field that must be there: a choice, a number, a switch, a file, a group or a list of groups is
 * known by its shape. `PLACES` only says where the well-known ones stand; the rest goes into "More".
 *
 * @typedef {object} Field
 * @property {string} name - in its object
 * @property {string} path - from the top, as faults name it: `control.type`
 * @property {"text"|"choice"|"switch"|"number"|"file"|"group"|"list"} kind
 * @property {any} default - what stands for a value that is not sent; null where the worker decides
 * @property {Field[]} fields - of a group, or of one entry of a list
 * @property {string|null} of - the field without which this one says nothing: `image_strength` is of `image`
 */

import { possible } from "./rules.js";

/** Filled in by what the person does, not by a field of the form. */
const BY_BUTTONS = new Set(["preview", "mode"]);

export const PLACES = [
  { id: "head", fields: ["model"] },
  { id: "words", fields: ["prompt"] },
  { id: "basics", fields: ["quality", "resolution", "duration", "camera", "aspect"] },
  { id: "files", fields: ["image", "end_image"] },
  { id: "quality", title: "Finish", fields: ["spatial_upscaler", "temporal_upscaler", "detailer", "steps", "precision"] },
  { id: "control", title: "Control", fields: ["control"] },
  { id: "sound", title: "Sound and seed", fields: ["audio", "seed"] },
  { id: "more", title: "More", fields: [] },
];

/** @returns {Field[]} */
export function fieldsOf(schema, root = schema, within = "") {
  const properties = schema.properties ?? {};
  const required = new Set(schema.required ?? []);
  const fields = [];
  for (const [name, given] of Object.entries(properties)) {
    if (given.deprecated || (!within && BY_BUTTONS.has(name))) continue;
    if (name.endsWith("_base64")) continue; // the other half of a file
    const file = name.endsWith("_url") && `${name.slice(0, -4)}_base64` in properties;
    const field = file ? fileField(name, given, properties) : fieldOf(name, resolved(given, root), root, within);
    field.path = within + field.name;
    field.required = required.has(name);
    // One choice is none; a group that must name it does so by itself.
    if (field.kind !== "choice" || field.options.length > 1 || field.required) fields.push(field);
  }
  for (const field of fields) {
    const owners = fields.filter((other) => other !== field && field.kind !== "file" && field.name.startsWith(`${other.stem ?? other.name}_`));
    field.of = (owners.find((other) => other.kind === "file") ?? owners[0])?.name ?? null;
  }
  fields.rules = schema.allOf ?? [];
  return fields;
}

function fileField(name, given, properties) {
  const stem = name.slice(0, -4);
  const accept = ["video", "audio"].find((word) => stem.includes(word)) ?? "image";
  // `audio` may be a switch beside `audio_url`.
  return { name: stem in properties ? name : stem, stem, kind: "file", accept, url: name, hint: given.description, default: null };
}

function fieldOf(name, given, root, within) {
  const field = { name, title: given.title, hint: given.description, default: given.default ?? null };
  if (given.enum) return { ...field, kind: "choice", options: given.enum };
  if (given.const !== undefined) return { ...field, kind: "choice", options: [given.const] };
  if (given.type === "boolean") return { ...field, kind: "switch" };
  if (given.type === "integer" || given.type === "number") {
    return { ...field, kind: "number", whole: given.type === "integer", ...bounds(given) };
  }
  if (given.type === "object") return { ...field, kind: "group", fields: fieldsOf(given, root, `${within}${name}.`) };
  if (given.type === "array") {
    const item = resolved(given.items ?? {}, root);
    const fields = item.type === "object" ? fieldsOf(item, root, `${within}${name}.`) : [];
    return { ...field, kind: "list", fields, most: given.maxItems ?? 8 };
  }
  return { ...field, kind: "text", most: given.maxLength ?? null, lines: (given.maxLength ?? 0) > 500 };
}

function bounds(given) {
  const least = given.minimum ?? given.exclusiveMinimum ?? null;
  const most = given.maximum ?? given.exclusiveMaximum ?? null;
  const said = /Default: (\d+(\.\d+)?)\./.exec(given.description ?? "");
  const assumed = given.default ?? (said ? Number(said[1]) : null);
  return { least, most, assumed, slides: given.type === "number" && assumed !== null && least !== null && most !== null && most - least <= 2 };
}

/** A schema without its "or null", and with what it refers to. */
function resolved(given, root) {
  let schema = given;
  for (let depth = 0; depth < 5; depth++) {
    const some = (schema.anyOf ?? schema.oneOf)?.filter((part) => part.type !== "null");
    if (some?.length) schema = { ...schema, anyOf: undefined, oneOf: undefined, ...some[0] };
    else if (schema.allOf?.length === 1 && schema.allOf[0].$ref) schema = { ...schema, allOf: undefined, ...schema.allOf[0] };
    else if (schema.$ref) {
      const { $ref, ...beside } = schema;
      schema = { ...$ref.slice(2).split("/").reduce((part, key) => part?.[key], root), ...beside };
    } else return schema;
  }
  return schema;
}

/** The fields in their places; a field that nobody has placed stands in "More". */
export function placed(fields) {
  const known = new Set(PLACES.flatMap((place) => place.fields));
  const owner = (field) => (field.of ? owner(fields.find((other) => other.name === field.of)) : field.name);
  return PLACES.map((place) => ({
    ...place,
    fields: fields.filter((field) => {
      const name = known.has(field.name) ? field.name : owner(field);
      return known.has(name) ? place.fields.includes(name) : place.id === "more";
    }).sort((a, b) => rank(place, a) - rank(place, b)),
  })).filter((place) => place.fields.length);
}

const rank = (place, field) => {
  const at = place.fields.indexOf(field.of ?? field.name);
  return (at < 0 ? place.fields.length : at) + (field.of ? 0.5 : 0);
};

/** What a field's value is where the person has chosen none. */
export const effective = (field, values) => values?.[field.name] ?? field.default;

/** Whether a field says anything now: a strength of nothing does not, nor what cannot be beside the rest. */
export function applies(field, fields, values) {
  if (!possible(field, fields, values)) return false;
  if (!field.of) return true;
  const owner = fields.find((other) => other.name === field.of);
  const value = owner.kind === "file" ? values?.[owner.url] : effective(owner, values);
  return value !== null && value !== undefined && value !== false && value !== "none";
}

/** A job's input: what the person chose, without what says nothing now and without what is the default anyway. */
export function inputOf(fields, values) {
  const input = {};
  for (const field of fields) {
    if (!applies(field, fields, values)) continue;
    const name = field.url ?? field.name;
    const value = values?.[name];
    if (value === undefined || value === null || value === "") continue;
    if (field.kind === "group") {
      input[name] = withRequired(field, value);
    } else if (field.kind === "list") {
      if (value.length) input[name] = value.map((entry) => withRequired(field, entry));
    } else if (field.required || value !== field.default) {
      input[name] = value;
    }
  }
  return input;
}

/** A group that is switched on names what it must, such as the first of its choices. */
function withRequired(group, values) {
  const whole = { ...values };
  for (const field of group.fields) {
    if (field.required && field.kind === "choice" && whole[field.name] === undefined) whole[field.name] = field.default ?? field.options[0];
  }
  return inputOf(group.fields, whole);
}
