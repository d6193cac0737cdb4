// Where a command goes and where its answer comes from: `<where the device listens>/<name>/req/<id>` and `…/res/<id>`.

export interface CommandTopics {
  readonly request: string
  readonly response: string
}

/** A level that a client cannot smuggle more levels or wildcards into. */
const level = /^[^/+#\0]{1,64}$/

export const isCommandName = (name: string): boolean => level.test(name) && !name.startsWith('$')

/**
 * The place a device listens is read off its own subscriptions, so any topic convention works: the levels before `/+/req/+`, `/<name>/req/+`
 * or `/#`, one of which must be its client id. A filter with wildcards before that covers others too, and is no place of its own.
 */
export function topicsFor(device: string, filters: readonly string[], name: string, id: string): CommandTopics | undefined {
  for (const filter of filters) {
    const [, base, named] = /^(.+?)\/(?:([^/]+)\/req\/[+#]|\+\/#|#)$/.exec(filter) ?? []
    if (base === undefined || /[+#]/.test(base) || !base.split('/').includes(device)) continue
    if (named !== undefined && named !== '+' && named !== name) continue
    return { request: `${base}/${name}/req/${id}`, response: `${base}/${name}/res/${id}` }
  }
  return undefined
}

/** The id of a response; undefined for any other topic. */
export function responseId(topic: string): string | undefined {
  const slash = topic.lastIndexOf('/')
  return topic.startsWith('/res', slash - 4) ? topic.slice(slash + 1) : undefined
}
