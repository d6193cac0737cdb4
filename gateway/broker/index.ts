// The table of brokers. Each is loaded when it is chosen, so that none costs the start of another.
import type { Broker } from './broker.ts'
import type { BrokerConfig } from './config.ts'
import type { EmbeddedBrokerOptions } from './embedded.ts'
import type { RemoteBrokerOptions } from './remote.ts'

export type BrokerOptions = EmbeddedBrokerOptions & Omit<RemoteBrokerOptions, 'limits'>

/** Not started. Throws CONFIG_INVALID for files that cannot be read. */
export async function createBroker(config: BrokerConfig, options: BrokerOptions): Promise<Broker> {
  const remote = { ...options, limits: options.access.limits }
  switch (config.kind) {
    case 'embedded':
      return (await import('./embedded.ts')).createEmbeddedBroker(options)
    case 'upstream':
      return (await import('./upstream.ts')).createUpstreamBroker(config, remote)
    case 'iot-core':
      return (await import('./iot-core.ts')).createIotCoreBroker(config, remote)
  }
}
