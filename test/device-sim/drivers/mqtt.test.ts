import { describe } from 'vitest'
import { mqtt } from '../../../device-sim/drivers/mqtt.ts'
import { systemClock } from '../../../lib/clock.ts'
import { testDriver } from '../../contract/driver.ts'
import { startBroker } from '../../helpers/mqtt-broker.ts'

describe('the mqtt driver', () => {
  testDriver(async () => {
    const broker = await startBroker()
    const driver = mqtt.create({ target: new URL(broker.url), keepAliveMs: 60_000, clock: systemClock })
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
