import { expect, test } from 'vitest'
import { type FleetProgress, runFleet } from '../../device-sim/fleet.ts'
import { parseScenario, type ScenarioInput } from '../../device-sim/scenario.ts'
import { startBroker } from '../helpers/device-doors.ts'

const scenario: ScenarioInput = {
  devices: 21,
  count: 4,
  seed: 7,
  populations: [{ model: 'freezer', interval: '100ms' }],
  verifyPatience: '1s',
}

async function send(more: ScenarioInput) {
  await using broker = await startBroker()
  const report = await runFleet(parseScenario({ ...scenario, target: broker.url, ...more }))
  return { report, bytes: broker.published.map(({ topic, payload }) => `${topic} ${payload}`).toSorted() }
}

test('three workers send what one would, and their reports add up', async () => {
  const [one, three] = [await send({}), await send({ workers: 3, verify: 'subscriber', thresholds: ['lost == 0', 'failed == 0'] })]
  expect(three.bytes).toEqual(one.bytes)
  const { report } = three
  expect(report).toMatchObject({ devices: 21, connected: 21, acked: one.report.acked, failed: 0 })
  expect(report.ackMs!.count).toBe(report.acked)
  expect(report.delivered).toMatchObject({ arrived: report.acked, lost: 0, duplicated: 0, unknown: 0 })
  expect(report.thresholds.every(({ ok }) => ok)).toBe(true)
}, 20_000)

test('progress of all is told as one, and a stop reaches all', async () => {
  await using broker = await startBroker()
  const stop = new AbortController()
  const seen: FleetProgress[] = []
  const report = await runFleet(parseScenario({ ...scenario, count: 1_000_000, target: broker.url, workers: 2 }), {
    signal: stop.signal,
    onProgress(progress) {
      seen.push(progress)
      stop.abort()
    },
  })
  expect(seen[0]).toMatchObject({ devices: 21, connected: 21 })
  expect(report.acked).toBe(report.sent)
}, 20_000)

test('a target that is not there fails the run, not each worker by itself', async () => {
  await expect(runFleet(parseScenario({ ...scenario, target: 'mqtt://127.0.0.1:1', workers: 2 }))).rejects.toThrow('nothing listens there')
}, 20_000)

test('what only one process can do is refused', async () => {
  await expect(runFleet(parseScenario({ workers: 2 }), { onReading: () => undefined })).rejects.toThrow('can neither be recorded')
})
