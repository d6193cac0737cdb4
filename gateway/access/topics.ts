// Which topic names and filters a client may use at all, before any policy is asked.
import { hasWildcard, nameProblem, wildcardProblem } from '../../lib/topic.ts'

export interface TopicBounds {
  readonly topicBytes: number
  readonly topicSlashes: number
}

/** Prefixes below `$` that this gateway serves; every other name that begins with `$` is refused [AWS iot reserved-topics]. */
const reserved = [
  { prefix: '$aws/rules/', publish: true, subscribe: false },
  { prefix: '$aws/events/', publish: false, subscribe: true },
] as const

const basicIngest = /^\$aws\/rules\/[^/]+(\/|$)/
const shared = /^\$share\/([^/+#]{1,128})\/(.+)$/s

/** The topic without the prefix of Basic Ingest: the name that levels are counted in. */
export function ordinaryTopic(topic: string): string {
  return topic.startsWith('$') ? topic.replace(basicIngest, '') : topic
}

/** A level of a topic, counted from 1 as in topic(n); undefined when it is missing or empty. */
export function levelOf(topic: string, level: number | null): string | undefined {
  return level === null ? undefined : ordinaryTopic(topic).split('/', level)[level - 1] || undefined
}

/** What is wrong with a topic to publish to, as the end of a sentence; undefined when nothing is. */
export function topicProblem(topic: string, bounds: TopicBounds): string | undefined {
  if (hasWildcard(topic)) return 'a topic may not contain + or #' // [MQTT-3.3.2-2]
  if (!topic.startsWith('$')) return boundsProblem(topic, bounds)
  if (!reserved.some(({ prefix, publish }) => publish && topic.startsWith(prefix))) return 'the topic is reserved'
  const rest = ordinaryTopic(topic)
  if (rest === topic) return 'Basic Ingest needs the name of a rule'
  return rest === '' ? undefined : boundsProblem(rest, bounds)
}

/** The same for a filter to subscribe to. */
export function filterProblem(filter: string, bounds: TopicBounds): string | undefined {
  if (filter.startsWith('$share/')) {
    const [, , inner] = shared.exec(filter) ?? []
    return inner === undefined ? 'a shared subscription is $share/<name>/<filter>' : filterProblem(inner, bounds) // [MQTT-4.8.2-2]
  }
  if (filter.startsWith('$') && !reserved.some(({ prefix, subscribe }) => subscribe && filter.startsWith(prefix))) {
    return 'the filter is reserved'
  }
  return wildcardProblem(filter) ?? boundsProblem(filter, bounds)
}

/** The trees of topics and filters are walked level by level, so no configuration may allow more. */
const maxLevels = 100

function boundsProblem(name: string, { topicBytes, topicSlashes }: TopicBounds): string | undefined {
  const problem = nameProblem(name, topicBytes)
  if (problem !== undefined) return problem
  // Bytes that are not UTF-8 were decoded to U+FFFD: two different names would become one [MQTT-1.5.4-1].
  if (name.includes('\ufffd') || !name.isWellFormed()) return 'it is not UTF-8'
  let slashes = 0
  for (let at = name.indexOf('/'); at !== -1; at = name.indexOf('/', at + 1)) slashes++
  if (slashes >= maxLevels) return `it may have ${maxLevels} levels at most`
  return slashes > topicSlashes ? `it may have ${topicSlashes} slashes at most` : undefined
}
