/**
 * What can apply: the contract's rules between fields, which are JSON Schema too, looked at before anything is sent.
 *
 * A field is not shown where every value of it would break a rule that holds without it. Groups and lists, which are
 * what a video is made from, rule out the others, and not the others them.
 *
 * @typedef {import("./schema.js").Field} Field
 */

/** Whether a job keeps to a rule. Of JSON Schema there is what such rules are made of. */
export function keeps(rule, job) {
  if (rule.$ref || job === undefined) return true;
  if (rule.if && keeps(rule.if, job) && rule.then && !keeps(rule.then, job)) return false;
  if ("const" in rule && rule.const !== job) return false;
  if (rule.enum && !rule.enum.includes(job)) return false;
  if (rule.type === "null" && job !== null) return false;
  if (rule.required?.some((name) => job[name] === undefined)) return false;
  if (rule.not && keeps(rule.not, job)) return false;
  if (rule.anyOf && !rule.anyOf.some((part) => keeps(part, job))) return false;
  if (rule.allOf && !rule.allOf.every((part) => keeps(part, job))) return false;
  return Object.entries(rule.properties ?? {}).every(([name, part]) => keeps(part, job[name]));
}

/** @returns {boolean} whether a field can say anything beside what the person chose elsewhere */
export function possible(field, fields, values) {
  const rules = fields.rules ?? [];
  if (!rules.length) return true;
  const { [nameOf(field)]: own, ...rest } = chosen(fields, values);
  const held = rules.filter((rule) => keeps(rule, rest));
  return (own === undefined ? some(field) : [own]).some((value) => {
    const job = { ...rest, [nameOf(field)]: value };
    return held.every((rule) => keeps(rule, job) || stays(rule, job, field, fields, own !== undefined));
  });
}

/**
 * Whether a field is shown although it breaks a rule: a group for what it lacks, or beside small things that it rules
 * out; of what was chosen already, everything that a group rules out (the fault says so), and else the first.
 */
function stays(rule, job, field, fields, set) {
  const others = fields.filter((other) => other !== field && job[nameOf(other)] !== undefined && keeps(rule, without(job, other)));
  if (large(field)) return set || !others.some(large);
  if (!set || !others.length) return false;
  return others.some(large) || others.every((other) => fields.indexOf(field) < fields.indexOf(other));
}

const large = (field) => field.kind === "group" || field.kind === "list";
const nameOf = (field) => field.url ?? field.name;
const without = (job, field) => ({ ...job, [nameOf(field)]: undefined });

/** What the person chose; a default, and a list with nothing in it, count as not chosen. */
function chosen(fields, values) {
  const said = fields.map((field) => [field, values?.[nameOf(field)]]);
  const given = said.filter(([field, value]) => value !== undefined && value !== null && value !== "" && value !== field.default && value.length !== 0);
  return Object.fromEntries(given.map(([field, value]) => [nameOf(field), value]));
}

/** Values that a field may come to have. */
function some(field) {
  if (field.kind === "choice") return field.options.filter((option) => option !== field.default);
  return [{ switch: !field.default, number: field.least ?? 1, group: {}, list: [{}] }[field.kind] ?? "x"];
}
