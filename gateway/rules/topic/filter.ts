// Topic filters of rules: validity and matching. AWS follows MQTT, except for the parent of `#`.
import { isOpenToWildcards, nameProblem, wildcardProblem } from '../../../lib/topic.ts'

const maxFilterBytes = 256

/** The reason a filter cannot be used, as a sentence; undefined for a valid one [AWS iot-sql-from]. */
export function validateFilter(filter: string): string | undefined {
  const problem = nameProblem(filter, maxFilterBytes) ?? wildcardProblem(filter)
  return problem && `the topic filter is not valid: ${problem}`
}

/**
 * Whether a valid filter covers the topic. `a/#` does not cover `a`, unlike MQTT [AWS iot-sql-from]; a leading wildcard does not cover
 * topics that start with `$` [MQTT-4.7.2-1; U-7].
 */
export function matches(filter: string, topic: string): boolean {
  const levels = filter.split('/')
  const parts = topic.split('/')
  if (!isOpenToWildcards(topic) && (levels[0] === '+' || levels[0] === '#')) return false
  const open = levels[levels.length - 1] === '#'
  const fixed = open ? levels.slice(0, -1) : levels
  if (open ? parts.length < levels.length : parts.length !== levels.length) return false
  return fixed.every((level, i) => level === '+' || level === parts[i])
}
