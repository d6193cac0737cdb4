import { expect, test } from 'vitest'
import { type FreezerParams, type FreezerState, freezer } from '../../../device-sim/models/freezer.ts'
import type { Sample } from '../../../device-sim/models/model.ts'
import { createRandom } from '../../../lib/random.ts'

const start = Date.UTC(2026, 0, 1)
const minute = 60_000

function live(params: Partial<FreezerParams>, minutes: number, seed = 1) {
  const full = freezer.params.parse(params)
  const random = createRandom(seed)
  let state: FreezerState = freezer.boot(full, start, random)
  const samples: Sample[] = []
  for (let at = start; at <= start + minutes * minute; at += minute) {
    const step = freezer.step(full, state, at, random)
    state = step.state
    samples.push(...step.samples)
  }
  const temperatures = samples.filter(({ stream }) => stream === 'telemetry').map(({ values }) => values.temperature as number)
  return { samples, temperatures, doors: samples.filter(({ stream }) => stream === 'door') }
}

test('a shut freezer stays around its setpoint, and its compressor comes and goes', () => {
  const { samples, temperatures } = live({ doorOpeningsPerHour: 0, setpoint: -20 }, 24 * 60)
  expect(Math.min(...temperatures)).toBeGreaterThan(-22.5)
  expect(Math.max(...temperatures)).toBeLessThan(-17.5)
  const switches = samples.filter(({ values }, i) => i > 0 && values.compressor !== samples[i - 1]!.values.compressor).length
  expect(switches).toBeGreaterThan(20)
  expect(switches).toBeLessThan(200)
})

test('a door left open warms it slowly past −8 °C, and it recovers', () => {
  const { temperatures, doors } = live({ doorOpeningsPerHour: 0.3, leftOpenChance: 1 }, 24 * 60)
  expect(doors.length).toBeGreaterThan(2)
  expect(Math.max(...temperatures)).toBeGreaterThan(-8)
  const steepest = Math.max(...temperatures.map((t, i) => (i ? t - temperatures[i - 1]! : 0)))
  expect(steepest).toBeLessThan(4)
  expect(temperatures.filter((t) => t < -16).length).toBeGreaterThan(temperatures.length / 2)
})

test('the door opens and closes in turn, each told once and with its own time', () => {
  const { doors } = live({ doorOpeningsPerHour: 30 }, 120)
  expect(doors.length).toBeGreaterThan(50)
  expect(doors.map(({ values }) => values.door)).toEqual(doors.map((_, i) => (i % 2 ? 'closed' : 'open')))
  expect(doors.every(({ at }, i) => i === 0 || at! >= doors[i - 1]!.at!)).toBe(true)
})

test('trucks drive, cold stores stay', () => {
  const positions = (trucks: number) =>
    live({ trucks }, 60).samples.flatMap(({ values }) => (values.position ? [JSON.stringify(values.position)] : []))
  expect(new Set(positions(1)).size).toBeGreaterThan(50)
  expect(positions(0)).toEqual([])
})

test('time lapse shows an hour in a minute', () => {
  expect(live({ doorOpeningsPerHour: 10, timeLapse: 60 }, 10).doors.length).toBeGreaterThan(100)
})
