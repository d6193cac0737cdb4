import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runFleet } from '../../device-sim/fleet.ts'
import { createRecorder } from '../../device-sim/recorder.ts'
import { createReplaySource, loadRecording, parseRecording } from '../../device-sim/replay.ts'
import { parseScenario, type ScenarioInput } from '../../device-sim/scenario.ts'
import { startBroker } from '../helpers/device-doors.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-replay-'))
})
afterAll(() => rm(folder, { recursive: true }))

test('what was recorded is sent again, byte for byte', async () => {
  const file = join(folder, 'run.ndjson')
  const send = async (input: ScenarioInput, record: boolean) => {
    await using broker = await startBroker()
    const recorder = record ? createRecorder(file) : undefined
    await runFleet(parseScenario({ ...input, target: broker.url }), { onReading: recorder?.record })
    await recorder?.stop()
    return broker.published.map(({ clientId, topic, payload }) => `${clientId} ${topic} ${payload.toString('base64')}`).toSorted()
  }
  const mixed = [
    { model: 'freezer' as const, interval: '50ms' },
    { model: 'vibration' as const, interval: '80ms' },
  ]
  const original = await send({ devices: 6, count: 3, seed: 7, populations: mixed }, true)
  expect(original.length).toBeGreaterThanOrEqual(18)
  expect((await readFile(file, 'utf8')).trim().split('\n')).toHaveLength(original.length)
  expect(await send({ replay: { file, speed: 4 } }, false)).toEqual(original)
})

const lines = (...rows: object[]) => rows.map((row) => JSON.stringify(row)).join('\n')
const [one, two] = [
  { at: 0, device: 'a', topic: 't/a', payload: '{"n":1}' },
  { at: 1_000, device: 'b', topic: 't/b', payload: { n: 2 } },
]

test('NDJSON: payloads as text, as JSON, as base64, or as whatever else the line says', () => {
  const recording = parseRecording(
    lines(one, two, { at: 1_500, device: 'a', topic: 't', payloadBase64: 'AAE=' }, { at: 1_600, device: 'a', topic: 't', celsius: 4 }),
    'f',
  )
  expect(recording.map(({ payload }) => Buffer.from(payload).toString('latin1'))).toEqual([
    '{"n":1}',
    '{"n":2}',
    '\0\u0001',
    '{"celsius":4}',
  ])
})

test('CSV: quotes, and columns that become the payload', () => {
  const csv = 'at,device,topic,celsius,note\r\n2026-01-01T00:00:02Z,a,t/a,4.5,"two ""words"", one\nline"\r\n2026-01-01T00:00:00Z,b,t/b,,x\n'
  const recording = parseRecording(csv, 'f')
  expect(recording.map(({ at, device, payload }) => [at, device, JSON.parse(Buffer.from(payload).toString())])).toEqual([
    [0, 'b', { celsius: '', note: 'x' }],
    [2_000, 'a', { celsius: 4.5, note: 'two "words", one\nline' }],
  ])
})

test.each([
  ['{"device":"a","topic":"t"}', 'f, line 1: "at" is undefined; expected milliseconds or an ISO time'],
  [`${JSON.stringify(one)}\n{"at":1,`, 'f, line 2: is not JSON'],
  ['at,device,topic\n1,,t', 'f, line 2: "device" is missing'],
  ['at,device,topic\n1,a,t/#', 'f, line 2: "topic" is "t/#"; expected a topic without wildcards'],
  ['at,device,topic,qos\n1,a,t,2', 'f, line 2: "qos" is "2"; expected 0 or 1'],
  ['', 'f has no readings'],
])('%j is refused with its line', (text, sentence) => {
  expect(() => parseRecording(text, 'f')).toThrow(sentence)
})

test('a file that is not there is one sentence', async () => {
  await expect(loadRecording('/nowhere.csv')).rejects.toThrow('cannot replay /nowhere.csv')
})

function timesOf(replay: object, more: ScenarioInput = {}) {
  const { plan } = createReplaySource(parseRecording(lines(one, two), 'f'), parseScenario({ replay: { file: 'f', ...replay }, ...more }))
  const times: number[] = []
  while (plan.nextAt < Number.POSITIVE_INFINITY && times.length < 100) times.push(plan.next().at)
  return times
}

test('a prefix changes client ids, and leaves topics and payloads as they were recorded', () => {
  const source = createReplaySource(parseRecording(lines(one, two), 'f'), parseScenario({ replay: { file: 'f' }, prefix: 'b-' }))
  const plain = createReplaySource(parseRecording(lines(one, two), 'f'), parseScenario({ replay: { file: 'f' } }))
  expect(source.clientIds).toEqual(plain.clientIds.map((id) => `b-${id}`))
  const take = ({ plan, take }: typeof plain) => take(plan.next().device, 0, () => undefined)
  expect(take(source)).toEqual(take(plain))
})

test('speed divides time, a loop goes on until the duration or the count is over', () => {
  expect(timesOf({})).toEqual([0, 1_000])
  expect(timesOf({ speed: 10 })).toEqual([0, 100])
  expect(timesOf({ loop: true }, { duration: '5s' })).toEqual([0, 1_000, 2_000, 3_000, 4_000])
  expect(timesOf({ loop: true }, { count: 2 })).toEqual([0, 1_000, 2_000, 3_000])
  expect(timesOf({ loop: true })).toHaveLength(100)
})
