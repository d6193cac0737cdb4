// The broker inside the gateway, held against the contract of all brokers.
import { onTestFinished } from 'vitest'
import { createEmbeddedBroker } from '../../../gateway/broker/embedded.ts'
import { createMqttDoor } from '../../../gateway/listen/mqtt.ts'
import { systemClock } from '../../../lib/clock.ts'
import { ids, testBroker } from '../../contract/broker.ts'
import { createTestAccess, noRates } from '../../helpers/access.ts'
import { fastPaths } from '../../helpers/fast-paths.ts'
import { aDevice } from '../../helpers/mqtt-client.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'
import { aTcpProxy } from '../../helpers/tcp-proxy.ts'

testBroker({
  name: 'embedded',
  async create(ingest) {
    const observe = createSpyObserve()
    const broker = createEmbeddedBroker({ ingest, access: createTestAccess(noRates, observe), observe, clock: systemClock, ids, fastPaths })
    await broker.start()
    const door = createMqttDoor({ host: '127.0.0.1', port: 0, flag: '--mqtt-port', broker, observe })
    const proxy = await aTcpProxy(await door.start())
    onTestFinished(() => door.stop())
    return {
      broker,
      observe,
      device: (clientId, options) => aDevice(proxy.port, { clientId, ...options }),
      async cut() {
        await proxy.cut()
        await proxy.mend()
      },
    }
  },
})
