// Topic filters one at a time: is it well formed, and does it match. AWS's rules, which are MQTT's but for the parent of `#`.

const maxFilterBytes = 256

/** The reason a filter cannot be used, or undefined [AWS iot-sql-from; MQTT-4.7.1-2, 4.7.1-3, 4.7.3]. */
export function validateFilter(filter: string): string | undefined {
  if (filter === '') return 'a topic filter has at least one character'
  if (filter.includes('\u0000')) return 'a topic filter has no null character'
  if (Buffer.byteLength(filter) > maxFilterBytes) return `a topic filter has at most ${maxFilterBytes} bytes of UTF-8`
  const levels = filter.split('/')
  for (const [index, level] of levels.entries()) {
    if (level.includes('+') && level !== '+') return `in a topic filter + stands alone in its level, and ${JSON.stringify(level)} has more`
    if (level.includes('#') && level !== '#') return `in a topic filter # stands alone in its level, and ${JSON.stringify(level)} has more`
    if (level === '#' && index < levels.length - 1) return 'in a topic filter # is the last level'
  }
  return undefined
}

/**
 * Whether a valid filter covers the topic. `a/#` does not cover `a`, unlike MQTT [AWS iot-sql-from]; a leading wildcard does not cover
 * topics that start with `$` [MQTT-4.7.2-1; U-7].
 */
export function matches(filter: string, topic: string): boolean {
  const levels = filter.split('/')
  const parts = topic.split('/')
  if (topic.startsWith('$') && (levels[0] === '+' || levels[0] === '#')) return false
  const open = levels[levels.length - 1] === '#'
  const fixed = open ? levels.slice(0, -1) : levels
  if (open ? parts.length < levels.length : parts.length !== levels.length) return false
  return fixed.every((level, i) => level === '+' || level === parts[i])
}
