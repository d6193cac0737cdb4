// What of a sentence may leave the process: not where code lies, what it is made of, which machine it spoke to, or what is secret.

const stars = '***'
/** More is no sentence, and some patterns look at every place of it. */
const maxLength = 1_000

const secrets: readonly RegExp[] = [
  /\b(?:AKIA|ASIA)[A-Z0-9]{12,}/g,
  /\b(?:bearer|basic)\s+\S+/gi,
  /\b[\w-]*(?:password|passwd|pwd|secret|token|api[-_]?key|authorization|credential)s?["']?\s*[=:]\s*\S+/gi,
]

const inside: readonly RegExp[] = [
  // A frame of a stack, with the name of its function.
  /\s*\bat (?:async )?(?:new )?[\w.<>$[\] ]*\(?(?:file:|node:|[\w@.\\/-]*[\\/])[^\s)]*:\d+\)?/g,
  /\b(?:file|node):[\w./@-]+(?::\d+)*/g,
  /\barn:[\w-]+:\S+/g,
  // The machine of a URL, and who it was asked as.
  /(?<=:\/\/)[^\s/"'`)]+/g,
  /(?<=\b(?:ENOTFOUND|EAI_AGAIN) )\S+/g,
  /\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b/g,
  /\blocalhost(?::\d+)?\b/gi,
  /\b(?:[a-z0-9-]+\.)+(?:com|net|org|io|dev|cloud|internal|local|lan)\b(?::\d+)?/gi,
  // Absolute paths of two levels and more, files of code, packages with a scope.
  /(?<![\w*/:.])(?:[A-Za-z]:\\|\/)(?:[\w.@+-]+[\\/])+[\w.@+-]*(?::\d+)*/g,
  /(?:[\w@.-]+[\\/])*[\w@.-]+\.[cm]?[jt]s\b(?::\d+)*/g,
  /(?<![\w.])@[a-z][\w-]*\/[\w.-]+/g,
]

/** The first line, in printable characters, with what looks like a secret or like the inside of a program replaced by `***`. */
export function masked(text: string): string {
  const line = text
    .split(/[\r\n\u2028\u2029]/, 1)[0]!
    .slice(0, maxLength)
    .replace(/[^\x20-\x7e\u00a0-\ud7ff\ue000-\ufffd]/g, '')
  return [...secrets, ...inside].reduce((rest, pattern) => rest.replace(pattern, stars), line)
}
