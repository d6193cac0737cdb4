import { rm } from 'node:fs/promises'
import { encode } from 'cborg'
import { expect, test } from 'vitest'
import { runFleet } from '../../device-sim/fleet.ts'
import type { Numbered } from '../../device-sim/reading.ts'
import { parseScenario } from '../../device-sim/scenario.ts'
import { summarize } from '../../device-sim/stats.ts'
import { createVerifier, type Follower, settled } from '../../device-sim/verify.ts'
import { startBroker } from '../helpers/device-doors.ts'
import { createManualClock } from '../helpers/manual-clock.ts'
import { mintForTest } from '../helpers/test-certificates.ts'

const reading = (seq: number, device = 'd', boot = 1): Numbered => ({
  topic: 't',
  qos: 1,
  device,
  boot,
  seq,
  payload: Buffer.from(JSON.stringify({ device, boot, seq, rule: 'added' })),
})

function follow(count: number, arrivals: (all: readonly Numbered[]) => readonly Numbered[]) {
  const verifier = createVerifier()
  const all = Array.from({ length: count }, (_, i) => reading(i + 1))
  for (const each of all) {
    verifier.sent(each, each.seq * 10)
    verifier.acked(each)
  }
  for (const each of arrivals(all)) verifier.arrived(each.payload, each.seq * 10 + 5)
  return verifier
}

test('all arrived once and in order: nothing to report but how long they took', () => {
  const { counts, endToEnd } = follow(100, (all) => all)
  expect(counts).toEqual({ arrived: 100, lost: 0, duplicated: 0, outOfOrder: 0, unknown: 0 })
  expect(summarize(endToEnd)!.p50).toBeCloseTo(5, 1)
})

test('a far end that drops 1 in 1,000, repeats 1 in 500 and swaps 1 in 200 is reported exactly', () => {
  const disturbed = (all: readonly Numbered[]) => {
    const out: Numbered[] = []
    for (let i = 0; i < all.length; i++) {
      if (i % 1_000 === 700) continue
      if (i % 200 === 50) {
        out.push(all[i + 1]!, all[i++]!)
        continue
      }
      out.push(all[i]!)
      if (i % 500 === 333) out.push(all[i]!)
    }
    return out
  }
  expect(follow(20_000, disturbed).counts).toMatchObject({ arrived: 19_980, lost: 20, duplicated: 40, outOfOrder: 100, unknown: 0 })
})

test('what was never acknowledged is not lost, and what arrives all the same has arrived', () => {
  const verifier = createVerifier()
  for (const seq of [1, 2]) verifier.sent(reading(seq), 0)
  verifier.arrived(reading(2).payload, 1)
  expect(verifier.counts).toMatchObject({ arrived: 1, lost: 0 })
})

test('an arrival before its acknowledgement counts once', () => {
  const verifier = createVerifier()
  verifier.sent(reading(1), 0)
  verifier.arrived(reading(1).payload, 1)
  verifier.acked(reading(1))
  expect(verifier.missing).toBe(0)
})

test('a duplicate that the fleet itself sent is no fault of the far end', () => {
  const verifier = createVerifier()
  for (let i = 0; i < 2; i++) verifier.sent(reading(1), 0)
  for (let i = 0; i < 2; i++) verifier.acked(reading(1))
  for (let i = 0; i < 3; i++) verifier.arrived(reading(1).payload, 1)
  expect(verifier.counts).toMatchObject({ arrived: 2, duplicated: 1, lost: 0 })
})

test('order is the order of sending, per device and boot', () => {
  const verifier = createVerifier()
  const sent = [reading(2), reading(1), reading(1, 'e'), reading(1, 'd', 2)]
  for (const each of sent) verifier.sent(each, 0)
  for (const each of [sent[3]!, sent[2]!, sent[0]!, sent[1]!]) verifier.arrived(each.payload, 1)
  expect(verifier.counts).toMatchObject({ arrived: 4, outOfOrder: 0 })
})

test('bodies are read as JSON or CBOR, and strangers are told apart', () => {
  const verifier = createVerifier()
  verifier.sent(reading(1), 0)
  verifier.arrived(encode({ device: 'd', boot: 1, seq: 1 }), 1)
  for (const body of ['', 'x', '{', '{"device":"d","boot":1,"seq":2}', '{"device":"d","boot":9,"seq":1}', '{"seq":1}', '[1]', 'null'])
    verifier.arrived(Buffer.from(body), 1)
  expect(verifier.counts).toMatchObject({ arrived: 1, unknown: 8 })
})

test('waiting ends when nothing is missing, or nothing comes any more', async () => {
  const clock = createManualClock()
  const verifier = follow(2, () => [])
  let done = false
  const waiting = settled(verifier, { clock, patienceMs: 5_000 }).then(() => {
    done = true
  })
  await clock.advance(4_000)
  verifier.arrived(reading(1).payload, 1)
  await clock.advance(4_000)
  expect(done).toBe(false)
  await clock.advance(1_100)
  await waiting
  expect(verifier.counts.lost).toBe(1)
})

const scenario = { devices: 20, count: 5, seed: 7, populations: [{ model: 'freezer' as const, interval: '50ms' }], verifyPatience: '300ms' }

test('a subscriber sees what the broker hands on', async () => {
  await using broker = await startBroker()
  const report = await runFleet(
    parseScenario({ ...scenario, target: broker.url, verify: 'subscriber', thresholds: ['lost == 0', 'end_to_end_ms p99 < 5000'] }),
  )
  expect(report.delivered).toMatchObject({ arrived: report.acked, lost: 0, duplicated: 0, outOfOrder: 0 })
  expect(report.thresholds.every(({ ok }) => ok)).toBe(true)
})

test('what faults do on purpose is not held against the far end', async () => {
  await using broker = await startBroker()
  const faults = (['malformed', 'duplicate', 'reorder'] as const).map((kind) => ({ kind, chance: 0.3 }))
  const report = await runFleet(parseScenario({ ...scenario, faults, target: broker.url, verify: 'subscriber' }))
  expect(report.faults.malformed).toBeGreaterThan(0)
  expect(report.delivered).toMatchObject({ lost: 0, duplicated: 0, outOfOrder: 0 })
  expect(report.delivered!.arrived).toBe(report.acked - report.delivered!.unknown)
  expect(report.delivered!.unknown).toBeGreaterThanOrEqual(report.faults.malformed!)
})

test('a queue that loses one in ten is found out', async () => {
  await using broker = await startBroker()
  let lost = 0
  let seen = 0
  const follower: Follower = {
    async start(arrived) {
      broker.aedes.on('publish', (packet, client) => {
        if (!client) return
        if (++seen % 10 === 0) lost++
        else arrived(Buffer.from(packet.payload))
      })
    },
    stop: async () => undefined,
  }
  const report = await runFleet(parseScenario({ ...scenario, target: broker.url, verify: 'queue', thresholds: ['lost == 0'] }), {
    follower,
  })
  expect(lost).toBeGreaterThan(5)
  expect(report.delivered).toMatchObject({ lost, arrived: report.acked - lost })
  expect(report.thresholds[0]).toMatchObject({ value: lost, ok: false })
})

test('nobody to read the queue is told before anything connects', async () => {
  await expect(runFleet(parseScenario({ verify: 'queue' }))).rejects.toThrow('verify: "queue" needs a reader of the queue')
})

test.each(['mqtts', 'iot-core'] as const)('over mutual TLS the subscriber of %s shows a certificate too', async (protocol) => {
  const { folder, server } = await mintForTest(['freezer-00000', 'freezer-00001'])
  await using broker = await startBroker('tls', server)
  const input = {
    devices: 2,
    count: 2,
    protocol,
    certs: folder,
    target: broker.url,
    verifyPatience: '300ms',
    verify: 'subscriber' as const,
  }
  const report = await runFleet(parseScenario({ ...input, populations: [{ model: 'freezer', interval: '20ms' }] }))
  expect(report.delivered).toMatchObject({ lost: 0, duplicated: 0 })
  expect(report.delivered!.arrived).toBe(report.acked)
  await rm(folder, { recursive: true })
})
