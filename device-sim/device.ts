// One simulated device: who it is, and its readings as bytes, decided by seed and number and by nothing else.
import { createRandom } from '../lib/random.ts'
import type { Reading } from './drivers/driver.ts'
import { modelNamed } from './models/index.ts'
import type { Sample } from './models/model.ts'
import type { Interval, Population, Scenario } from './scenario.ts'

export interface Device {
  readonly id: string
  readonly tenant: string
  readonly site: string
  readonly interval: Interval
  /** The stream of random numbers its plan is made of, apart from the one its readings are made of. */
  readonly planRandom: () => number
  /** What it has to say at this time, in order. */
  take(at: number): readonly Reading[]
}

/** Devices 0 to `scenario.devices`; each is the same for any size of fleet. */
export function createDevices(scenario: Scenario, seed: string | number, startAt: number): Device[] {
  const place = places(scenario.populations)
  return Array.from({ length: scenario.devices }, (_, number) => createDevice(scenario, number, place(), seed, startAt))
}

function createDevice(scenario: Scenario, number: number, { population, rank }: Place, seed: string | number, startAt: number): Device {
  const name = population.name ?? population.model
  const tenants = population.tenants ?? scenario.tenants
  const id = `${name}-${String(number).padStart(5, '0')}`
  const tenant = tenants[rank % tenants.length]!
  const site = `site-${Math.floor(rank / tenants.length / scenario.devicesPerSite) + 1}`

  const model = modelNamed(population.model)
  const random = createRandom(seed, `device ${number}`)
  const topicOf = createTopics(population.topic, { tenant, site, device: id, population: name })
  let state = model.boot(population.params, startAt, random)
  let seq = 0
  const toReading = ({ stream, values, at: happenedAt }: Sample, at: number): Reading => {
    const body = { device: id, boot: 1, seq: ++seq, at: happenedAt ?? Math.round(at), ...values }
    return { topic: topicOf(stream), payload: Buffer.from(JSON.stringify(body)), qos: scenario.qos }
  }

  return {
    id,
    tenant,
    site,
    interval: population.interval,
    planRandom: createRandom(seed, `plan ${number}`),
    take(at) {
      const step = model.step(population.params, state, at, random)
      state = step.state
      return step.samples.map((sample) => toReading(sample, at))
    },
  }
}

interface Place {
  readonly population: Population
  readonly rank: number
}

/**
 * Which population each device belongs to, and its rank in it: smooth weighted round robin over the shares, so that
 * any prefix of the fleet is mixed as the shares say and a device's place does not depend on how many follow.
 */
export function places(populations: readonly Population[]): () => Place {
  const total = populations.reduce((sum, { share }) => sum + share, 0)
  const taken = populations.map(() => 0)
  let number = 0
  return () => {
    number++
    let chosen = 0
    let most = Number.NEGATIVE_INFINITY
    for (let p = 0; p < populations.length; p++) {
      const owed = (number * populations[p]!.share) / total - taken[p]!
      if (owed > most + 1e-9) [chosen, most] = [p, owed]
    }
    return { population: populations[chosen]!, rank: taken[chosen]!++ }
  }
}

/** Fills the template once per stream, not once per reading. */
function createTopics(template: string, names: Readonly<Record<string, string>>): (stream: string) => string {
  const known = new Map<string, string>()
  return (stream) => {
    let topic = known.get(stream)
    if (topic === undefined) {
      topic = template.replace(/\{(\w+)\}/g, (_, name) => (name === 'stream' ? stream : (names[name] ?? '')))
      known.set(stream, topic)
    }
    return topic
  }
}
