// Text from clients on its way to a terminal: characters that move the cursor, start a command or turn lines around become visible escapes.

/*
   C0, DEL, C1                     \u0000-\u001f \u007f-\u009f    escape sequences, as `ESC [` or as the one character U+009B
   bidirectional controls          \u061c \u200e \u200f \u202a-\u202e \u2066-\u2069
   line and paragraph separator    \u2028 \u2029
*/
const ranges = '\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069'
const inValue = new RegExp(`[\\u0000-\\u001f${ranges}]`, 'g')
const inText = new RegExp(`[\\u0000-\\u0008\\u000b-\\u001f${ranges}]`, 'g')

/** One value within a line. */
export function printable(value: string): string {
  return value.replaceAll(inValue, escaped)
}

/** Whole lines without colours: line feeds and tabs stay. JSON keeps its meaning, because the escapes are those of JSON. */
export function printableText(text: string): string {
  return text.replaceAll(inText, escaped)
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** Every text in a value of JSON, names of members included. */
export function printableJson(value: unknown): unknown {
  if (typeof value === 'string') return printable(value)
  if (Array.isArray(value)) return value.map(printableJson)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [printable(name), printableJson(member)]))
}
