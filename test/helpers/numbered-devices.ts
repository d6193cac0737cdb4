// Devices that number what they publish and keep it until it is acknowledged, whatever becomes of the gateway meanwhile.
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import type { Driver, Session } from '../../device-sim/drivers/driver.ts'
import { mqtt } from '../../device-sim/drivers/mqtt.ts'
import { systemClock as clock } from '../../lib/clock.ts'
import { createRandom } from '../../lib/random.ts'

export interface NumberedOptions {
  /** Of an MQTT door on this machine. */
  readonly port?: number
  /** Another way to somewhere else. */
  readonly driver?: Driver
  readonly devices: number
  /** Readings of each device a second. */
  readonly rate: number
  readonly seed: number
  /** The last level of the topic of reading n: `telemetry` where left out. */
  readonly kindOf?: (n: number) => string
}

export interface NumberedDevices {
  /** `<device>:<n>` of everything acknowledged. */
  readonly acked: ReadonlySet<string>
  /** PUBLISH packets sent, repeats included. */
  readonly sent: number
  /** From the first PUBLISH of a reading to its PUBACK, in milliseconds; a new one after every call. */
  ackMs(): RecordableHistogram
  /** Resolves when so many are acknowledged. */
  reached(count: number): Promise<void>
  /** Resolves when every reading begun is acknowledged. */
  stop(): Promise<void>
}

export function startNumberedDevices(options: NumberedOptions): NumberedDevices {
  const { port, devices, rate, seed, kindOf = () => 'telemetry' } = options
  const driver = options.driver ?? mqtt.create({ target: new URL(`mqtt://127.0.0.1:${port}`), keepAliveMs: 30_000, clock })
  const acked = new Set<string>()
  let histogram = createHistogram()
  let sent = 0
  let stopping = false
  const waiting = new Set<{ readonly count: number; readonly resolve: () => void }>()

  const connect = async (id: string): Promise<Session> => {
    for (;;) {
      try {
        return await driver.connect(id, clock.deadline(5_000))
      } catch {
        await clock.sleep(100)
      }
    }
  }

  const run = async (index: number) => {
    const id = `freezer-${index}`
    const random = createRandom(seed, id)
    const prefix = `dt/coldchain/tenant-${index % 5}/site-${index % 20}/${id}`
    let session = await connect(id)
    let due = clock.monotonic() + (random() * 1_000) / rate
    for (let n = 0; ; n++, due += 1_000 / rate) {
      const wait = due - clock.monotonic()
      if (wait > 0) await clock.sleep(wait)
      if (stopping) break
      const payload = Buffer.from(JSON.stringify({ device: id, seq: n, temperature: -18 - random(), pad: 'x'.repeat(100) }))
      const reading = { topic: `${prefix}/${kindOf(n)}`, payload, qos: 1 } as const
      const since = clock.monotonic()
      for (let done = false; !done; ) {
        sent++
        done = await session.publish(reading).then(
          () => true,
          () => false,
        )
        if (!done) session = await connect(id)
      }
      histogram.record(Math.max(1, Math.round(clock.monotonic() - since)))
      acked.add(`${id}:${n}`)
      for (const one of waiting) if (acked.size >= one.count && waiting.delete(one)) one.resolve()
    }
    await session.close()
  }

  const running = Promise.all(Array.from({ length: devices }, (_, index) => run(index)))
  return {
    acked,
    get sent() {
      return sent
    },
    ackMs() {
      const before = histogram
      histogram = createHistogram()
      return before
    },
    reached: (count) => new Promise((resolve) => waiting.add({ count, resolve })),
    async stop() {
      stopping = true
      await running
      driver.stop()
    },
  }
}
