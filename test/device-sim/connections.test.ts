import { expect, test } from 'vitest'
import { createConnections } from '../../device-sim/connections.ts'
import type { Driver, Session } from '../../device-sim/drivers/driver.ts'
import { createManualClock, settled } from '../helpers/manual-clock.ts'

interface Fake extends Session {
  end(): void
}

function createFleet(devices: number, { connect = async () => undefined as unknown, closes = true } = {}) {
  const clock = createManualClock()
  const sessions: Fake[] = []
  const attempts: string[] = []
  const driver: Driver = {
    wire: { sent: 0, received: 0 },
    async connect(clientId) {
      attempts.push(clientId)
      await connect()
      let end: () => void = () => undefined
      const closed = new Promise<void>((resolve) => {
        end = resolve
      })
      const session = {
        publish: async () => undefined,
        closed,
        close: () => (closes ? Promise.resolve(end()) : new Promise<void>(() => undefined)),
        cut: () => end(),
        end,
      }
      sessions.push(session)
      return session
    },
    stop: () => undefined,
  }
  const ids = Array.from({ length: devices }, (_, i) => `d-${i}`)
  const connections = createConnections(ids, { driver, target: new URL('mqtt://h:1'), clock, random: () => 0.5, connectTimeoutMs: 1_000 })
  return { clock, connections, sessions, attempts }
}

const signal = new AbortController().signal

test('every device is connected once', async () => {
  const { connections, attempts } = createFleet(250)
  await connections.open(signal)
  expect([connections.connected, connections.everConnected, connections.reconnects, attempts.length]).toEqual([250, 250, 0, 250])
})

test('the first device that cannot connect ends the run; a later one is tried again', async () => {
  const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
  const none = createFleet(3, { connect: () => Promise.reject(refused) })
  await expect(none.connections.open(signal)).rejects.toThrow('cannot connect d-0 to mqtt://h:1: nothing listens there')

  let calls = 0
  const second = createFleet(3, {
    connect: async () => {
      if (++calls === 2) throw refused
    },
  })
  await second.connections.open(signal)
  expect(second.connections.connected).toBe(2)
  await second.clock.advance(250)
  expect(second.connections.connected).toBe(3)
})

test('patience grows with every failure, up to its cap', async () => {
  let isDown = false
  const { clock, connections, sessions, attempts } = createFleet(1, {
    connect: async () => {
      if (isDown) throw new Error('down')
    },
  })
  await connections.open(signal)
  isDown = true
  sessions[0]!.end()
  await settled()
  // Half of 500 ms, 1 s, 2 s, 4 s …, as the random number is a half.
  for (const [ms, tries] of [
    [250, 2],
    [500, 3],
    [1_000, 4],
    [2_000, 5],
  ] as const) {
    await clock.advance(ms)
    expect(attempts.length).toBe(tries)
  }
  isDown = false
  await clock.advance(15_000)
  expect(connections.reconnects).toBe(1)
})

test('connections that the other side ends soon count from the second in a row on', async () => {
  const { clock, connections, sessions } = createFleet(1)
  await connections.open(signal)
  const livesFor = async (ms: number) => {
    await clock.advance(ms)
    sessions.at(-1)!.end()
    await settled()
    await clock.advance(250) // half of the first backoff
  }
  await livesFor(60_000)
  await livesFor(100)
  expect(connections.shortLived).toBe(0)
  await livesFor(100)
  await livesFor(100)
  expect(connections.shortLived).toBe(3)
  await livesFor(6_000)
  await livesFor(100)
  expect([connections.shortLived, connections.takenOver]).toEqual([3, 0])
})

test('connections that the fleet ends itself do not count as short', async () => {
  const { clock, connections } = createFleet(1)
  await connections.open(signal)
  for (let i = 0; i < 4; i++) {
    connections.end(0, { clean: i % 2 === 0, awayMs: 100 })
    await settled()
    await clock.advance(100)
  }
  expect([connections.reconnects, connections.shortLived]).toEqual([4, 0])
})

test('a session that says it was taken over counts at once', async () => {
  const { connections, sessions } = createFleet(1)
  await connections.open(signal)
  Object.assign(sessions[0]!, { takenOver: true }).end()
  await settled()
  expect([connections.takenOver, connections.shortLived]).toEqual([1, 0])
})

test('a device that is sent away comes back after exactly that time', async () => {
  const { clock, connections } = createFleet(1)
  await connections.open(signal)
  connections.end(0, { clean: false, awayMs: 7_000 })
  await settled()
  await clock.advance(6_999)
  expect([connections.connected, connections.session(0)]).toEqual([0, undefined])
  await clock.advance(1)
  expect(connections.connected).toBe(1)
})

test('closing does not wait for ever for a server that does not answer, and nothing comes back after it', async () => {
  const { clock, connections, attempts } = createFleet(2, { closes: false })
  await connections.open(signal)
  let isClosed = false
  void connections.close().then(() => {
    isClosed = true
  })
  await clock.advance(1_999)
  expect(isClosed).toBe(false)
  await clock.advance(1)
  expect(isClosed).toBe(true)
  await clock.advance(60_000)
  expect([attempts.length, connections.connected]).toEqual([2, 0])
})
