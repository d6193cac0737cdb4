// Follows readings by subscribing to them where they were published: what a broker's other clients see.
import { hostname } from 'node:os'
import { threadId } from 'node:worker_threads'
import type { DriverOptions } from './drivers/driver.ts'
import { FleetError } from './errors.ts'
import type { Population } from './scenario.ts'
import type { Follower } from './verify.ts'

interface Options extends Pick<DriverOptions, 'ca' | 'credentials'> {
  readonly target: URL
  readonly filters: readonly string[]
  /** The device whose certificate is shown, where the server asks for one. */
  readonly as: string
}

export function createSubscriber({ target, filters, as, ca, credentials }: Options): Follower {
  let stop: () => Promise<void> = async () => undefined
  return {
    async start(arrived) {
      const { connectAsync } = await import('mqtt')
      const clientId = `weir-verify-${hostname()}-${process.pid}-${threadId}`
      try {
        const own = await credentials?.(as)
        const client = await connectAsync(
          target.href,
          { clientId, reconnectPeriod: 1_000, protocolVersion: 4, ...(ca === undefined ? {} : { ca }), ...own },
          false,
        )
        client.on('error', () => undefined)
        client.on('message', (_, payload) => arrived(payload))
        stop = () => client.endAsync()
        const granted = await client.subscribeAsync([...filters], { qos: 1 })
        if (granted.some(({ qos }) => qos > 2)) throw new Error('the subscription was refused')
      } catch (error) {
        await stop()
        throw new FleetError(`cannot follow readings by subscribing at ${target.protocol}//${target.host}: ${(error as Error).message}`)
      }
    },
    stop: () => stop(),
  }
}

/** The filters that cover every topic a scenario publishes to. */
export function filtersOf(populations: readonly Population[]): readonly string[] {
  const filters = populations.map(({ topic }) =>
    topic
      .split('/')
      .map((level) => (level.includes('{') ? '+' : level))
      .join('/'),
  )
  return [...new Set(filters)]
}
