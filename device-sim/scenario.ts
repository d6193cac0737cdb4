// What a scenario file may say, with its defaults, and one clear sentence for whatever it may not.
import { z } from 'zod'
import { readJsonFile } from '../lib/json-file.ts'
import { parseAs } from '../lib/problems.ts'
import { driverNames, drivers } from './drivers/index.ts'
import { FleetError } from './errors.ts'
import { fault } from './faults.ts'
import { chance, duration } from './fields.ts'
import { models } from './models/index.ts'
import { phase } from './phases.ts'
import { interval } from './schedule.ts'
import { parseThreshold } from './thresholds.ts'

const sensor = z
  .strictObject({
    driftPerDay: z.number().default(0).describe('how far the sensor drifts in a day'),
    stuckChance: chance.default(0).describe('chance at each reading to stick at its value'),
    stuckFor: duration.prefault('5m').describe('how long it sticks'),
    spikeChance: chance.default(0).describe('chance at each reading of a value far off'),
    spikeBy: z.number().default(25).describe('how far off'),
  })
  .transform(({ stuckFor: stuckForMs, ...lie }) => ({ ...lie, stuckForMs }))

const template = z
  .string()
  .refine(
    (text) => [...text.matchAll(/\{(\w*)\}/g)].every(([, name]) => /^(tenant|site|device|population|stream)$/.test(name ?? '')),
    'may only use {tenant}, {site}, {device}, {population} and {stream}',
  )

const common = {
  name: z
    .string()
    .regex(/^[\w-]+$/, 'expected letters, digits, - and _')
    .optional()
    .describe('what the devices are called; the name of the model when left out'),
  share: z.number().positive().default(1).describe('how large a part of the fleet this is, relative to the other populations'),
  interval: interval.prefault('10s'),
  topic: template
    .refine((text) => !/[#+]/.test(text), 'a topic to publish to has no wildcards')
    .default('dt/coldchain/{tenant}/{site}/{device}/{stream}')
    .describe('where readings go; {tenant}, {site}, {device}, {population} and {stream} are filled in'),
  commands: template
    .refine((text) => /\/req\/\+$/.test(text), 'must end with /req/+')
    .optional()
    .describe('filter of the commands a device answers, such as cmd/coldchain/{tenant}/{site}/{device}/+/req/+; only over MQTT'),
  encoding: z.enum(['json', 'cbor']).optional().describe("how readings become bytes; the model's own way when left out"),
  sensors: z.record(z.string(), sensor).default({}).describe('how sensors lie, by the name of the number in the payload'),
  tenants: z.array(z.string().min(1)).min(1).optional().describe("tenants these devices belong to in turn; the scenario's when left out"),
}

const populations = Object.entries(models).map(([name, model]) =>
  z.strictObject({
    model: z.literal(name as keyof typeof models).describe(model.summary),
    params: (model.params as z.ZodType<object, object>).prefault({}).describe('what the model may be told'),
    ...common,
  }),
)

const fields = z.strictObject({
  $schema: z.string().optional().describe('for editors'),
  name: z.string().optional().describe('what this scenario is for'),
  devices: z.number().int().min(1).max(1_000_000).default(10).describe('how many devices there are'),
  firstDevice: z
    .number()
    .int()
    .min(0)
    .max(9_000_000)
    .default(0)
    .describe('number of the first device; two fleets on one broker need different numbers or a prefix'),
  prefix: z
    .string()
    .regex(/^[\w-]{0,64}$/, 'expected at most 64 letters, digits, - and _')
    .default('')
    .describe('put in front of the name of each device: in its client id, topics and payloads (replay: in its client id)'),
  seed: z
    .union([z.number().int(), z.string().min(1)])
    .optional()
    .describe('same seed, same bytes; drawn and printed when left out'),
  startAt: z
    .union([z.literal('now'), z.iso.datetime()])
    .optional()
    .describe('the time the first device lives at: "now" or an ISO time; 2026-01-01T00:00:00Z with a seed, "now" without'),
  duration: duration.optional().describe('stop planning readings after this time'),
  count: z.number().int().min(1).optional().describe('stop after this many readings of each device'),
  protocol: z.enum(driverNames).default('mqtt').describe('how devices speak'),
  target: z
    .string()
    .refine((text) => URL.canParse(text), 'expected a URL such as mqtt://127.0.0.1:1883')
    .optional()
    .describe('where the gateway or broker listens; the usual port on this machine when left out'),
  certs: z.string().optional().describe('folder with a CA and device certificates, as `weir certs mint` writes it'),
  qos: z.literal([0, 1]).default(1).describe('0: fire and forget; 1: every reading is acknowledged'),
  tenants: z
    .array(z.string().min(1))
    .min(1)
    .default(['acme', 'borealis', 'coldway', 'dairyland'])
    .describe('tenants the devices belong to in turn'),
  devicesPerSite: z.number().int().min(1).default(5).describe('how many devices of a tenant share a site'),
  maxInFlight: z
    .number()
    .int()
    .min(1)
    .max(60_000)
    .default(20)
    .describe('readings a device may have sent and not yet seen acknowledged; above it readings are dropped'),
  backlog: z
    .number()
    .int()
    .min(0)
    .max(100_000)
    .default(0)
    .describe('readings a device keeps while it is not connected, and sends when it is again; the oldest are dropped first'),
  maxLate: duration.prefault('1s').describe('a reading that could not start this long after its time is dropped'),
  ackTimeout: duration.prefault('10s').describe('how long to wait for acknowledgements after the last reading'),
  connectTimeout: duration.prefault('10s').describe('how long one attempt to connect may take'),
  keepAlive: duration.prefault('1m').describe('MQTT keep-alive'),
  mqttVersion: z.enum(['3.1.1', '5']).default('5').describe('what the iot-core driver speaks; every other MQTT driver speaks 3.1.1'),
  populations: z
    .array(z.discriminatedUnion('model', populations as [(typeof populations)[number], ...(typeof populations)[number][]]))
    .min(1)
    .prefault([{ model: 'freezer' }])
    .describe('the kinds of devices in this fleet'),
  workers: z.number().int().min(1).max(64).default(1).describe('threads that share the devices'),
  replay: z
    .strictObject({
      file: z.string().describe('a recording, NDJSON or CSV, with at, device, topic and payload'),
      speed: z.number().positive().default(1).describe('times as fast as it was recorded'),
      loop: z.boolean().default(false).describe('from the beginning again, until the duration is over'),
    })
    .optional()
    .describe('play a recording instead of living models'),
  verify: z
    .enum(['subscriber', 'queue'])
    .optional()
    .describe('follow the readings to the far end: to an MQTT subscriber, or out of the queue the gateway delivers to'),
  verifyAt: z.url().optional().describe('where the subscriber connects, when readings go out by another way than MQTT'),
  verifyPatience: duration.prefault('5s').describe('how long nothing may arrive before what is missing is lost'),
  phases: z.array(phase).default([]).describe('how the rate changes over time, one after the other'),
  faults: z.array(fault).default([]).describe('what goes wrong'),
  thresholds: z
    .array(
      z.string().transform((text, context) => {
        try {
          return parseThreshold(text)
        } catch (error) {
          context.addIssue({ code: 'custom', message: (error as Error).message })
          return z.NEVER
        }
      }),
    )
    .default([])
    .describe('what must hold at the end: "ack_ms p95 < 200", "failed == 0"'),
})

export const scenarioSchema = fields.superRefine(({ protocol, target, workers }, context) => {
  // A thread in which the SDK was loaded does not end.
  if (protocol === 'iot-core' && workers > 1)
    context.addIssue({
      code: 'custom',
      path: ['workers'],
      message: 'the iot-core driver has threads of its own and runs with 1 worker only',
    })
  const { schemes } = drivers[protocol]
  const scheme = target === undefined ? undefined : URL.parse(target)?.protocol
  if (scheme === undefined || (schemes as readonly string[]).includes(scheme)) return
  context.addIssue({
    code: 'custom',
    path: ['target'],
    message: `the ${protocol} driver cannot reach a ${scheme}// address; expected ${schemes.map((each) => `${each}//`).join(' or ')}`,
  })
})

export type Scenario = z.output<typeof scenarioSchema>
export type ScenarioInput = z.input<typeof scenarioSchema>
export type Population = Scenario['populations'][number]

const invalid = (problems: string) => new FleetError(problems, 2)

/** Throws a FleetError (exit code 2) whose sentence names every wrong field. */
export function parseScenario(input: unknown, file = 'scenario'): Scenario {
  return parseAs(scenarioSchema, input, file, invalid)
}

/** The text of a scenario file as an object, not yet checked, so that flags can be laid over it. */
export async function readScenario(file: string): Promise<Record<string, unknown>> {
  const value = await readJsonFile(file, invalid)
  return parseAs(z.record(z.string(), z.unknown()), value, file, invalid)
}
