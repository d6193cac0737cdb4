// The names AWS IoT gives what a policy speaks of.

export interface Arns {
  client(clientId: string): string
  topic(topic: string): string
  topicFilter(filter: string): string
}

export function createArns({ region, accountId }: { readonly region: string; readonly accountId: string }): Arns {
  const prefix = `arn:aws:iot:${region}:${accountId}:`
  return {
    client: (clientId) => `${prefix}client/${clientId}`,
    topic: (topic) => `${prefix}topic/${topic}`,
    topicFilter: (filter) => `${prefix}topicfilter/${filter}`,
  }
}

/** Region and account of an ARN; undefined when it names none or has wildcards there. */
export function ownerOf(arn: string): { readonly region: string; readonly accountId: string } | undefined {
  const [, region, accountId] = /^arn:[^:]*:iot:([a-z0-9-]+):(\d+):/.exec(arn) ?? []
  return region && accountId ? { region, accountId } : undefined
}
