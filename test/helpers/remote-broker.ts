// The gateway's side of somebody else's broker, with a stretch of network in between that a test can cut.
import type { IClientOptions } from 'mqtt'
import type { Broker, Ingest } from '../../gateway/broker/broker.ts'
import type { RemoteBrokerOptions } from '../../gateway/broker/remote.ts'
import { systemClock } from '../../lib/clock.ts'
import { ids } from '../contract/broker.ts'
import { createTestAccess } from './access.ts'
import { aMosquitto, type MosquittoOptions } from './mosquitto.ts'
import { aDevice } from './mqtt-client.ts'
import { createSpyObserve } from './spy-observe.ts'
import { aTcpProxy } from './tcp-proxy.ts'

/** Everything a remote broker needs but its config. Waits of a reconnect are as short as chance allows. */
export function remoteOptions(ingest: Ingest) {
  const observe = createSpyObserve()
  const options: RemoteBrokerOptions = {
    ...{ ingest, observe, clock: systemClock, random: () => 0, ids },
    limits: createTestAccess({}, observe).limits,
    clientId: () => 'weir-test',
    tenantTopicLevel: 3,
  }
  return { observe, options }
}

export interface RemoteCase {
  readonly mosquitto?: MosquittoOptions
  /** What a device needs to connect to mosquitto itself. */
  readonly device?: IClientOptions
  readonly create: (port: number, options: RemoteBrokerOptions) => Broker
}

/** mosquitto, a broker of the gateway that consumes from it, and devices that connect to it directly. */
export async function aRemoteBroker({ mosquitto: wanted = {}, device = {}, create }: RemoteCase, ingest: Ingest) {
  const mosquitto = await aMosquitto(wanted)
  const proxy = await aTcpProxy(mosquitto.port)
  const { observe, options } = remoteOptions(ingest)
  const broker = create(proxy.port, options)
  await broker.start()
  return {
    ...{ mosquitto, proxy, observe, options, broker },
    again: (next: RemoteBrokerOptions = options) => create(proxy.port, next),
    device: (clientId: string, more: IClientOptions = {}) => aDevice(mosquitto.port, { clientId, ...device, ...more }),
    async cut() {
      await proxy.cut()
      await proxy.mend()
    },
  }
}
