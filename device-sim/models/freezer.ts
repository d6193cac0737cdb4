// A freezer in a cold store or on a truck: compressor cycle, doors, and the slow warm-up when one is left open.
import { z } from 'zod'
import { between, dailyCurve, exponential, noise, round } from '../signals.ts'
import type { DeviceModel, Sample } from './model.ts'

const params = z.strictObject({
  setpoint: z.number().min(-80).max(20).default(-18).describe('temperature the thermostat holds, °C'),
  ambient: z.number().min(-40).max(60).default(24).describe('mean temperature of the room around it, °C'),
  doorOpeningsPerHour: z.number().min(0).max(3_600).default(4).describe('how often somebody opens the door'),
  leftOpenChance: z
    .number()
    .min(0)
    .max(1)
    .default(0.03)
    .describe('share of openings after which nobody closes the door for 10 to 30 minutes'),
  trucks: z.number().min(0).max(1).default(0.5).describe('share of freezers that are on a truck and report a position'),
  timeLapse: z.number().min(1).max(3_600).default(1).describe('physics this many times faster than the clock, to see a day in minutes'),
})

export type FreezerParams = z.output<typeof params>

interface Position {
  readonly latitude: number
  readonly longitude: number
  readonly heading: number
}

export interface FreezerState {
  readonly at: number
  readonly celsius: number
  readonly humidity: number
  readonly battery: number
  readonly cooling: boolean
  readonly open: boolean
  /** When the door next opens or closes. */
  readonly doorAt: number
  readonly position?: Position
}

// Time constants in physical seconds. At −18 °C in a room of 24 °C: +7 °C/h shut, +2 °C/min with the door open, −12 °C/h net with the compressor on.
const leakSeconds = 21_600
const doorSeconds = 1_260
const coolingPerSecond = 0.0052
const hysteresis = 1.5
const stepSeconds = 15
const metresPerDegree = 111_320

export const freezer = {
  summary: 'A freezer sensor: temperature, humidity, door, battery, position; door openings go to a stream of their own.',
  params,
  boot: (params, at, random) => ({
    at,
    celsius: params.setpoint + between(random, -hysteresis, hysteresis),
    humidity: between(random, 38, 50),
    battery: between(random, 60, 100),
    cooling: random() < 0.3,
    open: false,
    doorAt: at + untilOpened(params, random),
    ...(random() < params.trucks
      ? { position: { latitude: between(random, 45, 55), longitude: between(random, 2, 18), heading: between(random, 0, 360) } }
      : {}),
  }),
  step(params, before, at, random) {
    const samples: Sample[] = []
    let state = before
    while (state.doorAt <= at) {
      state = turnDoor(params, warm(params, state, state.doorAt), random)
      samples.push({
        stream: 'door',
        at: Math.round(state.at),
        values: { door: state.open ? 'open' : 'closed', temperature: round(state.celsius, 2) },
      })
    }
    state = drive(params, warm(params, state, at), at - before.at, random)
    samples.push({ stream: 'telemetry', values: telemetry(state, random) })
    return { state, samples }
  },
} satisfies DeviceModel<FreezerParams, FreezerState>

function telemetry({ celsius, humidity, battery, open, cooling, position }: FreezerState, random: () => number) {
  return {
    temperature: round(celsius + noise(random, 0.05), 2),
    humidity: round(humidity + noise(random, 0.4), 1),
    battery: round(battery, 1),
    door: open ? 'open' : 'closed',
    compressor: cooling ? 'on' : 'off',
    ...(position && { position: { lat: round(position.latitude, 5), lon: round(position.longitude, 5) } }),
  }
}

/** Newton's law of cooling in small steps, with a thermostat that has hysteresis. */
function warm({ ambient, setpoint, timeLapse }: FreezerParams, state: FreezerState, at: number): FreezerState {
  let { celsius, humidity, cooling } = state
  const outside = dailyCurve(at, { mean: ambient, swing: 4 })
  for (let left = ((at - state.at) / 1_000) * timeLapse; left > 0; left -= stepSeconds) {
    const seconds = Math.min(left, stepSeconds)
    const perSecond = 1 / leakSeconds + (state.open ? 1 / doorSeconds : 0)
    celsius += ((outside - celsius) * perSecond - (cooling ? coolingPerSecond : 0)) * seconds
    humidity += ((state.open ? 70 : 44) - humidity) * Math.min(1, seconds / 600)
    if (celsius > setpoint + hysteresis) cooling = true
    else if (celsius < setpoint - hysteresis) cooling = false
  }
  const battery = Math.max(0, state.battery - ((at - state.at) / 86_400_000) * timeLapse * 0.25)
  return { ...state, at, celsius, humidity, cooling, battery }
}

function turnDoor(params: FreezerParams, state: FreezerState, random: () => number): FreezerState {
  if (state.open) return { ...state, open: false, doorAt: state.at + untilOpened(params, random) }
  const leftOpen = random() < params.leftOpenChance
  const openSeconds = leftOpen ? between(random, 600, 1_800) : between(random, 10, 60)
  return { ...state, open: true, doorAt: state.at + (openSeconds * 1_000) / params.timeLapse }
}

function untilOpened({ doorOpeningsPerHour, timeLapse }: FreezerParams, random: () => number): number {
  return doorOpeningsPerHour === 0 ? Number.POSITIVE_INFINITY : exponential(random, 3_600_000 / doorOpeningsPerHour) / timeLapse
}

/** About 60 km/h along a heading that wanders. */
function drive({ timeLapse }: FreezerParams, state: FreezerState, ms: number, random: () => number): FreezerState {
  if (!state.position) return state
  const heading = state.position.heading + noise(random, 8)
  const degrees = ((ms / 1_000) * timeLapse * 16.7) / metresPerDegree
  const radians = (heading * Math.PI) / 180
  const latitude = Math.max(-80, Math.min(80, state.position.latitude + degrees * Math.cos(radians)))
  const longitude = state.position.longitude + (degrees * Math.sin(radians)) / Math.cos((latitude * Math.PI) / 180)
  return { ...state, position: { latitude, longitude, heading } }
}
