// A driver whose devices connect for each message: what a battery device does that sleeps in between.
import type { Driver, Session } from '../../device-sim/drivers/driver.ts'

/** The fleet sees sessions; a connection stands only while a reading is on its way. One at a time for each device. */
export function reconnecting(driver: Driver, signal: AbortSignal): Driver {
  return {
    wire: driver.wire,
    async connect(clientId): Promise<Session> {
      const gone = Promise.withResolvers<void>()
      let last: Promise<unknown> = Promise.resolve()
      return {
        publish(reading) {
          const published = last.then(async () => {
            const session = await driver.connect(clientId, signal)
            await session.publish(reading).finally(() => session.close())
          })
          last = published.catch(() => undefined)
          return published
        },
        closed: gone.promise,
        async close() {
          await last
          gone.resolve()
        },
        cut: gone.resolve,
      }
    },
    stop: driver.stop,
  }
}
