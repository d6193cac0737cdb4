// A vehicle tracker: drives a route there and back, with the errors a GPS receiver makes.
import { z } from 'zod'
import { batteryAfter, between, noise, round } from '../signals.ts'
import type { DeviceModel } from './model.ts'

const point = z.tuple([z.number().min(-90).max(90), z.number().min(-180).max(180)])

const params = z.strictObject({
  route: z
    .array(point)
    .min(2)
    .default([
      [52.52, 13.405],
      [52.391, 13.066],
      [52.131, 11.64],
      [52.375, 9.732],
      [53.551, 9.994],
    ])
    .describe('corners of the route as [latitude, longitude]; driven to the end and back, for ever'),
  kmPerHour: z.number().min(0).max(300).default(62).describe('mean speed'),
  noiseMetres: z.number().min(0).max(1_000).default(5).describe('standard deviation of a position'),
  noFixChance: z.number().min(0).max(1).default(0.01).describe('chance at each reading that there is no position'),
})

export type TrackerParams = z.output<typeof params>

export interface TrackerState {
  readonly at: number
  readonly metres: number
  readonly kmPerHour: number
  readonly battery: number
}

type Point = readonly [number, number]
const metresPerDegree = 111_320

export const tracker = {
  summary: 'A vehicle tracker: position along a route with GPS noise, speed, heading, odometer, satellites.',
  params,
  boot: ({ route, kmPerHour }, at, random) => ({
    at,
    metres: random() * 2 * lengthOf(route),
    kmPerHour: between(random, kmPerHour * 0.7, kmPerHour * 1.2),
    battery: 100,
  }),
  step({ route, kmPerHour, noiseMetres, noFixChance }, before, at, random) {
    const speed = Math.max(0, before.kmPerHour + (kmPerHour - before.kmPerHour) * 0.2 + noise(random, kmPerHour * 0.08))
    const metres = before.metres + (((at - before.at) / 1_000) * speed) / 3.6
    const state = { at, metres, kmPerHour: speed, battery: batteryAfter(before.battery, at - before.at, { days: 30 }) }
    const place = placeAt(route, metres)
    const [north, east] = [noise(random, noiseMetres), noise(random, noiseMetres)]
    const fix = random() >= noFixChance
    const position = {
      lat: round(place.at[0] + north / metresPerDegree, 6),
      lon: round(place.at[1] + east / metresPerDegree / Math.cos((place.at[0] * Math.PI) / 180), 6),
    }
    const values = {
      fix,
      ...(fix
        ? { position, heading: round(place.heading, 0), satellites: 6 + Math.floor(random() * 7) }
        : { satellites: Math.floor(random() * 3) }),
      speed: round(speed, 1),
      odometer: round(metres / 1_000, 2),
      battery: round(state.battery, 1),
    }
    return { state, samples: [{ stream: 'telemetry', values }] }
  },
} satisfies DeviceModel<TrackerParams, TrackerState>

/** Metres between two points, on a sphere flattened where they are: within a percent below 500 km. */
function metresBetween([aLat, aLon]: Point, [bLat, bLon]: Point): number {
  const east = (bLon - aLon) * Math.cos((((aLat + bLat) / 2) * Math.PI) / 180)
  return Math.hypot(bLat - aLat, east) * metresPerDegree
}

function lengthOf(route: readonly Point[]): number {
  return route.slice(1).reduce((sum, to, i) => sum + metresBetween(route[i]!, to), 0)
}

/** Where a vehicle is after so many metres of driving to the end of the route and back. */
function placeAt(route: readonly Point[], metres: number): { readonly at: Point; readonly heading: number } {
  const length = lengthOf(route)
  const back = length > 0 && Math.floor(metres / length) % 2 === 1
  let left = length > 0 ? metres % length : 0
  const way = back ? route.toReversed() : route
  for (let i = 1; i < way.length; i++) {
    const [from, to] = [way[i - 1]!, way[i]!]
    const leg = metresBetween(from, to)
    if (left > leg && i < way.length - 1) {
      left -= leg
      continue
    }
    const share = leg > 0 ? Math.min(1, left / leg) : 0
    const east = (to[1] - from[1]) * Math.cos((from[0] * Math.PI) / 180)
    const heading = ((Math.atan2(east, to[0] - from[0]) * 180) / Math.PI + 360) % 360
    return { at: [from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share], heading }
  }
  return { at: way[0]!, heading: 0 }
}
