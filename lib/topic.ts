// MQTT topic names and topic filters: validity and matching.

/** What is wrong with the characters or the size of a name or filter, as the end of a sentence. */
export function nameProblem(name: string, maxBytes: number): string | undefined {
  if (name === '') return 'it may not be empty' // [MQTT-4.7.3-1]
  if (name.includes('\0')) return 'it may not contain U+0000' // [MQTT-4.7.3-2]
  // A UTF-16 unit takes at most three bytes, so short names need no counting.
  const isTooLong = name.length * 3 > maxBytes && Buffer.byteLength(name) > maxBytes
  return isTooLong ? `it may have ${maxBytes} bytes at most` : undefined
}

/** The same for the wildcards of a filter. */
export function wildcardProblem(filter: string): string | undefined {
  const hash = filter.indexOf('#')
  const isLastLevel = hash === filter.length - 1 && (hash === 0 || filter[hash - 1] === '/')
  if (hash !== -1 && !isLastLevel) return '# may only be the whole last level' // [MQTT-4.7.1-1]
  return /[^/]\+|\+[^/]/.test(filter) ? '+ may only be a whole level' : undefined // [MQTT-4.7.1-2]
}

/** [MQTT-3.3.2-2] */
export function hasWildcard(topic: string): boolean {
  return topic.includes('+') || topic.includes('#')
}

/** Whether a leading wildcard may match: it does not match topics that begin with `$` [MQTT-4.7.2-1]. */
export function isOpenToWildcards(topic: string): boolean {
  return topic.charCodeAt(0) !== 0x24
}
