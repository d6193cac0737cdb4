// One simulated device: who it is, and its readings as bytes, decided by seed and number and by nothing else.
import { encode as encodeCbor } from 'cborg'
import { createRandom } from '../lib/random.ts'
import { createFaults, type DeviceFaults } from './faults.ts'
import { modelNamed } from './models/index.ts'
import type { Sample } from './models/model.ts'
import type { Numbered } from './reading.ts'
import type { Population, Scenario } from './scenario.ts'
import type { Planned } from './schedule.ts'
import { distort, type LieMemory } from './signals.ts'

export interface Device extends Planned {
  readonly id: string
  readonly tenant: string
  readonly site: string
  readonly faults: DeviceFaults | undefined
  /** Where it listens for commands. */
  readonly commands: string | undefined
  /** What it has to say at this time, in order. */
  take(at: number): readonly Numbered[]
  /** From its next reading on. */
  changeInterval(ms: number): void
  /** The boot number goes up and every sequence starts again. */
  reboot(): void
}

/** The devices of one process among `workers`: every so many. */
export interface Slice {
  readonly worker: number
  readonly workers: number
}

/** Each device is the same for any size of fleet, and in whatever process it lives. */
export function createDevices(
  scenario: Scenario,
  seed: string | number,
  startAt: number,
  { worker, workers }: Slice = { worker: 0, workers: 1 },
): Device[] {
  const place = places(scenario.populations)
  const devices: Device[] = []
  const { firstDevice, devices: count } = scenario
  for (let number = 0; number < firstDevice + count; number++) {
    const at = place()
    if (number >= firstDevice && number % workers === worker) devices.push(createDevice(scenario, number, at, seed, startAt))
  }
  return devices
}

function createDevice(scenario: Scenario, number: number, { population, rank }: Place, seed: string | number, startAt: number): Device {
  const name = population.name ?? population.model
  const tenants = population.tenants ?? scenario.tenants
  const id = `${scenario.prefix}${name}-${String(number).padStart(5, '0')}`
  const tenant = tenants[rank % tenants.length]!
  const site = `site-${Math.floor(rank / tenants.length / scenario.devicesPerSite) + 1}`
  const faults = createFaults(scenario.faults, number, seed)

  const model = modelNamed(population.model)
  const random = createRandom(seed, `device ${number}`)
  const encode = (population.encoding ?? model.encoding) === 'cbor' ? encodeCbor : encodeJson
  const say = createTopics(population.topic, { tenant, site, population: name })
  const sense = createSensors(population, createRandom(seed, `sensors of device ${number}`), startAt)
  const sequences = new Map<string, number>()
  let boot = 1
  let interval = population.interval
  let state = model.boot(population.params, startAt, random)

  const toReading = ({ stream, values, at: happenedAt, child }: Sample, at: number): Numbered => {
    const device = child === undefined ? id : `${id}-${child}`
    const seq = (sequences.get(device) ?? 0) + 1
    sequences.set(device, seq)
    const toldAt = Math.round(happenedAt ?? at) + (faults?.skewMs ?? 0)
    const body = { device, boot, seq, at: toldAt, ...(child === undefined ? {} : { hub: id }), ...sense(values, at) }
    return { topic: say(device, stream), payload: encode(body), qos: scenario.qos, device, boot, seq }
  }

  return {
    id,
    tenant,
    site,
    faults,
    commands: population.commands && fill(population.commands, { tenant, site, population: name, device: id }),
    get interval() {
      return interval
    },
    // Apart from the numbers its readings are made of: a plan that changes leaves the readings as they were.
    random: createRandom(seed, `plan of device ${number}`),
    take(at) {
      const step = model.step(population.params, state, at, random)
      state = step.state
      return step.samples.map((sample) => toReading(sample, at))
    },
    changeInterval(every) {
      interval = { kind: 'fixed', every }
    },
    reboot() {
      boot++
      sequences.clear()
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
function places(populations: readonly Population[]): () => Place {
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

/** Fills the template once per device and stream, not once per reading. */
function createTopics(template: string, names: Readonly<Record<string, string>>): (device: string, stream: string) => string {
  const known = new Map<string, string>()
  return (device, stream) => {
    const key = `${device}/${stream}`
    let topic = known.get(key)
    if (topic === undefined) {
      topic = fill(template, { ...names, device, stream })
      known.set(key, topic)
    }
    return topic
  }
}

function fill(template: string, names: Readonly<Record<string, string>>): string {
  return template.replace(/\{(\w+)\}/g, (_, name) => names[name] ?? '')
}

/** Lets the population's sensors lie; those without a setting, and what is not a number, stay as they are. */
function createSensors(
  { sensors }: Population,
  random: () => number,
  since: number,
): (values: Sample['values'], at: number) => Sample['values'] {
  const lying = Object.entries(sensors)
  if (lying.length === 0) return (values) => values
  const memories = new Map<string, LieMemory>()
  return (values, at) => {
    const told: Record<string, unknown> = { ...values }
    for (const [field, lie] of lying) {
      const value = told[field]
      if (typeof value !== 'number') continue
      const before = memories.get(field) ?? { since, stuckUntil: 0, stuckAt: 0 }
      const { value: reported, memory } = distort(lie, before, value, at, random)
      memories.set(field, memory)
      told[field] = reported
    }
    return told
  }
}

function encodeJson(body: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(body))
}
