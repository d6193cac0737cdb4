import { describe, expect, test } from 'vitest'
import type { Driver, Reading } from '../../device-sim/drivers/driver.ts'
import { type FleetOptions, type FleetProgress, runFleet } from '../../device-sim/fleet.ts'
import { parseScenario, type ScenarioInput } from '../../device-sim/scenario.ts'
import { startBroker } from '../helpers/device-doors.ts'
import { createManualClock, settled } from '../helpers/manual-clock.ts'

/** A driver whose sessions do as the test says. */
function createFakeDriver(publish: (reading: Reading) => Promise<void> = async () => undefined) {
  const readings: Reading[] = []
  const sessions: { cut(): void }[] = []
  const driver: Driver = {
    wire: { sent: 0, received: 0 },
    async connect() {
      let end = () => undefined as void
      const closed = new Promise<void>((resolve) => {
        end = resolve
      })
      const ended = closed.then(() => Promise.reject(new Error('gone')))
      ended.catch(() => undefined)
      const session = {
        publish: (reading: Reading) => {
          readings.push(reading)
          return Promise.race([publish(reading), ended])
        },
        closed,
        close: async () => end(),
        cut: () => end(),
      }
      sessions.push(session)
      return session
    },
    stop: () => undefined,
  }
  return { driver, readings, sessions }
}

function start(input: ScenarioInput, { driver, ...options }: FleetOptions & { driver: Driver }) {
  const clock = createManualClock()
  const run = runFleet(parseScenario(input), { clock, driver, ...options })
  return { clock, run }
}

const still = { populations: [{ model: 'freezer' as const, interval: '1s', params: { doorOpeningsPerHour: 0 } }] }

test('every planned reading is sent and acknowledged', async () => {
  const { driver } = createFakeDriver()
  const { clock, run } = start({ ...still, devices: 50, duration: '20s', seed: 7, thresholds: ['failed == 0', 'sent > 1000'] }, { driver })
  await settled()
  for (let i = 0; i < 21; i++) await clock.advance(1_000)
  expect(await run).toMatchObject({ devices: 50, connected: 50, sent: 1_000, acked: 1_000, failed: 0, dropped: 0, late: 0, seed: 7 })
  expect((await run).thresholds.map(({ ok }) => ok)).toEqual([true, false])
})

test('a full window drops what is due instead of sending it later', async () => {
  const { driver, readings } = createFakeDriver(() => new Promise(() => undefined))
  const { clock, run } = start({ ...still, devices: 1, duration: '10s', seed: 7, maxInFlight: 3, ackTimeout: '2s' }, { driver })
  await settled()
  for (let i = 0; i < 15; i++) await clock.advance(1_000)
  expect(await run).toMatchObject({ sent: 3, acked: 0, failed: 3, dropped: 7 })
  expect(readings).toHaveLength(3)
})

test('a device that lost its connection drops its readings, comes back and goes on', async () => {
  const { driver, sessions } = createFakeDriver()
  const { clock, run } = start({ ...still, devices: 1, duration: '60s', seed: 7 }, { driver })
  await settled()
  await clock.advance(10_000)
  sessions[0]!.cut()
  for (let i = 0; i < 51; i++) await clock.advance(1_000)
  const report = await run
  expect(report).toMatchObject({ connected: 1, reconnects: 1, failed: 0 })
  expect(report.sent + report.dropped).toBe(60)
})

test('what a device kept while it was away is sent when it is back', async () => {
  const { driver, sessions } = createFakeDriver()
  const faults: string[] = []
  const { clock, run } = start(
    {
      ...still,
      devices: 1,
      seed: 7,
      backlog: 100,
      phases: [
        { kind: 'steady', for: '10s' },
        { kind: 'herd', for: '20s' },
        { kind: 'steady', for: '30s' },
      ],
    },
    { driver, onFault: ({ kind }) => faults.push(kind) },
  )
  await settled()
  for (let i = 0; i < 61; i++) await clock.advance(1_000)
  expect(await run).toMatchObject({ sent: 60, acked: 60, dropped: 0, reconnects: 1 })
  expect(sessions).toHaveLength(2)
})

test('faults strike as often as they are counted', async () => {
  const { driver } = createFakeDriver()
  const told: string[] = []
  const { clock, run } = start(
    {
      ...still,
      devices: 20,
      duration: '60s',
      seed: 7,
      faults: [
        { kind: 'cut', every: '30s', away: '2s' },
        { kind: 'reboot', every: '60s' },
        { kind: 'duplicate', chance: 0.1 },
        { kind: 'flap', every: '2m' },
        { kind: 'delay', chance: 0.1 },
      ],
    },
    { driver, onFault: ({ kind }) => told.push(kind) },
  )
  await settled()
  for (let i = 0; i < 62; i++) await clock.advance(1_000)
  const { faults, sent, acked, failed, dropped, reconnects } = await run
  for (const kind of ['cut', 'reboot', 'duplicate', 'flap', 'delay'] as const)
    expect(faults[kind]).toBe(told.filter((each) => each === kind).length)
  expect(Object.keys(faults)).toHaveLength(5)
  expect(reconnects).toBeGreaterThan(20)
  expect(sent).toBe(acked + failed)
  expect(sent + dropped).toBeLessThanOrEqual(1_200 + faults.duplicate!)
  expect(sent + dropped).toBeGreaterThan(1_150)
})

test('a stop drains what is outstanding and reports as usual', async () => {
  let acknowledge: () => void = () => undefined
  const { driver } = createFakeDriver(
    () =>
      new Promise((resolve) => {
        acknowledge = resolve
      }),
  )
  const stop = new AbortController()
  const { clock, run } = start({ ...still, devices: 1, seed: 7 }, { driver, signal: stop.signal })
  await settled()
  await clock.advance(1_000)
  stop.abort()
  await settled()
  acknowledge()
  expect(await run).toMatchObject({ sent: 1, acked: 1, failed: 0 })
})

test('progress is told while it runs', async () => {
  const { driver } = createFakeDriver()
  const seen: FleetProgress[] = []
  const { clock, run } = start(
    { ...still, devices: 10, duration: '5s', seed: 7 },
    { driver, onProgress: (progress) => seen.push(progress) },
  )
  await settled()
  for (let i = 0; i < 6; i++) await clock.advance(1_000)
  await run
  expect(seen.map(({ sent }) => sent)).toEqual([10, 20, 30, 40, 50])
  expect(seen[0]).toMatchObject({ devices: 10, connected: 10, durationMs: 5_000 })
})

describe('against a broker', () => {
  test('what was acknowledged is what arrived', async () => {
    await using broker = await startBroker()
    const scenario = parseScenario({
      ...still,
      devices: 40,
      count: 3,
      seed: 7,
      target: broker.url,
      populations: [{ model: 'freezer', interval: '100ms' }],
    })
    const report = await runFleet(scenario)
    expect(report).toMatchObject({ connected: 40, failed: 0, dropped: 0 })
    expect(report.acked).toBe(broker.published.length)
    expect(report.acked).toBeGreaterThanOrEqual(120)
    expect(report.ackMs!.p50).toBeGreaterThan(0)
  })

  test('devices answer commands, also after they lost their connection', async () => {
    await using broker = await startBroker()
    const stop = new AbortController()
    const ask = (id: string) =>
      new Promise<string>((resolve) => {
        const topic = `cmd/acme/site-1/freezer-00000/ping/res/${id}`
        broker.aedes.subscribe(
          topic,
          ({ payload }, done) => {
            done()
            resolve(String(payload))
          },
          () =>
            broker.aedes.publish(
              { cmd: 'publish', topic: topic.replace('/res/', '/req/'), payload: Buffer.from('?'), qos: 1, dup: false, retain: false },
              () => undefined,
            ),
        )
      })
    const subscribed = () => new Promise((resolve) => broker.aedes.once('subscribe', resolve))
    const first = subscribed()
    const run = runFleet(
      parseScenario({
        devices: 1,
        target: broker.url,
        populations: [{ model: 'freezer', commands: 'cmd/{tenant}/{site}/{device}/+/req/+' }],
      }),
      { signal: stop.signal },
    )
    await first
    expect(JSON.parse(await ask('1'))).toMatchObject({ device: 'freezer-00000', command: 'ping', id: '1', status: 'ok' })
    const second = subscribed()
    broker.cutAll()
    await second
    expect(JSON.parse(await ask('2'))).toMatchObject({ id: '2' })
    stop.abort()
    expect(await run).toMatchObject({ reconnects: 1 })
  })

  test('two runs of one seed send the same bytes', async () => {
    const bytesOf = async () => {
      await using broker = await startBroker()
      await runFleet(
        parseScenario({ devices: 5, count: 4, seed: 'same', target: broker.url, populations: [{ model: 'freezer', interval: '50ms' }] }),
      )
      return broker.published.map(({ topic, payload }) => `${topic} ${payload}`).sort()
    }
    expect(await bytesOf()).toEqual(await bytesOf())
  })

  test('nothing there is one sentence', async () => {
    await expect(runFleet(parseScenario({ target: 'mqtt://127.0.0.1:1' }))).rejects.toThrow(
      'cannot connect freezer-00000 to mqtt://127.0.0.1:1: nothing listens there',
    )
  })
})
