// A room thermostat: follows a weekday schedule of setpoints, heats when it must, tells mode changes on a stream of their own.
import { z } from 'zod'
import { batteryAfter, between, dailyCurve, noise, round } from '../signals.ts'
import type { DeviceModel, Sample } from './model.ts'

const params = z.strictObject({
  day: z.number().min(5).max(35).default(21).describe('setpoint from 7:00 to 22:00 UTC, °C'),
  night: z.number().min(5).max(35).default(17).describe('setpoint for the rest of the day, °C'),
  outside: z.number().min(-40).max(50).default(6).describe('mean temperature outside, °C'),
})

export type ThermostatParams = z.output<typeof params>

export interface ThermostatState {
  readonly at: number
  readonly celsius: number
  readonly heating: boolean
  readonly battery: number
  readonly mode?: 'day' | 'night'
}

const leakHours = 10
const heaterPerHour = 4
const stepMs = 60_000

export const thermostat = {
  summary: 'A room thermostat: temperature, setpoint, valve, battery; mode changes go to a stream of their own.',
  params,
  boot: ({ night }, at, random) => ({
    at,
    celsius: between(random, night - 1, night + 2),
    heating: false,
    battery: between(random, 40, 100),
  }),
  step(params, before, at, random) {
    const hour = (at / 3_600_000) % 24
    const mode = hour >= 7 && hour < 22 ? 'day' : 'night'
    const setpoint = params[mode]
    const state: ThermostatState = {
      ...heat(params.outside, setpoint, before, at),
      battery: batteryAfter(before.battery, at - before.at, { days: 700 }),
      mode,
    }
    const samples: Sample[] = before.mode === mode ? [] : [{ stream: 'mode', values: { mode, setpoint } }]
    samples.push({
      stream: 'telemetry',
      values: {
        temperature: round(state.celsius + noise(random, 0.08), 2),
        setpoint,
        valve: state.heating ? round(Math.min(100, 40 + (setpoint - state.celsius) * 30), 0) : 0,
        battery: round(state.battery, 1),
      },
    })
    return { state, samples }
  },
} satisfies DeviceModel<ThermostatParams, ThermostatState>

function heat(outside: number, setpoint: number, before: ThermostatState, at: number): ThermostatState {
  let { celsius, heating } = before
  const cold = dailyCurve(at, { mean: outside, swing: 5 })
  for (let left = at - before.at; left > 0; left -= stepMs) {
    const hours = Math.min(left, stepMs) / 3_600_000
    celsius += ((cold - celsius) / leakHours + (heating ? heaterPerHour : 0)) * hours
    if (celsius > setpoint + 0.3) heating = false
    else if (celsius < setpoint - 0.3) heating = true
  }
  return { ...before, at, celsius, heating }
}
