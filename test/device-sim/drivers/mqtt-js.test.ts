import { describe } from 'vitest'
import { mqttJs } from '../../../device-sim/drivers/mqtt-js.ts'
import { systemClock } from '../../../lib/clock.ts'
import { testDriver } from '../../contract/driver.ts'
import { startBroker } from '../../helpers/mqtt-broker.ts'

describe('the mqtt-js driver', () => {
  testDriver(async () => {
    const broker = await startBroker()
    const driver = mqttJs.create({ target: new URL(broker.url), keepAliveMs: 60_000, clock: systemClock })
    return {
      ...broker,
      driver,
      async [Symbol.asyncDispose]() {
        driver.stop()
        await broker[Symbol.asyncDispose]()
      },
    }
  })
})
