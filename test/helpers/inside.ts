// What nobody outside is to read, whichever way a text leaves the gateway: where code is, what it is made of, what stands behind it.

/** One list for answers, reason strings, reasons of dead letters, bodies of error actions, alerts and replies. */
export const inside: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['a frame of a stack', /\bat \S.*[/\\(].*:\d+:\d+|\bat (async )?\w[\w.<>]* \(/],
  ['a place in code', /\.[cm]?[jt]s\b(:\d+)?|\bnode:|file:\/\//],
  ['a path', /node_modules|(^|[\s"'(=])\/(bin|dev|etc|home|opt|private|proc|root|srv|tmp|usr|var|work|Users)\/|[A-Z]:\\/],
  ['an ARN or an account', /\barn:|(?<![\w-])\d{12}(?![\w-])/],
  ['the address of a queue', /queueUrl|https?:\/\/\S*sqs|amazonaws/i],
  ['a host', /127\.0\.0\.1|localhost|\b(\d{1,3}\.){3}\d{1,3}\b|\.(internal|example)\b/i],
  ['a library', /fauxqs|fastify|aedes|\bzod\b|mqtt-packet|\bpino\b|undici|\bsmithy\b|FST_ERR|HPE_|aws-sdk/i],
]

/** What of it is in a text; empty when nothing is. */
export function insideOf(text: string): readonly string[] {
  return inside.flatMap(([what, pattern]) => {
    const found = pattern.exec(text)
    return found ? [`${what}: …${text.slice(Math.max(0, found.index - 20), found.index + found[0].length + 20)}…`] : []
  })
}
