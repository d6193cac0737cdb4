import { expect, test } from 'vitest'
import { z } from 'zod'
import { problemsOf } from '../../lib/problems.ts'

const schema = z.strictObject({
  listen: z.strictObject({ mqtt: z.number().default(1883), host: z.string().optional() }).default({ mqtt: 1883 }),
  actions: z
    .array(z.union([z.strictObject({ sqs: z.strictObject({ queueUrl: z.string() }) }), z.strictObject({ log: z.strictObject({}) })]))
    .optional(),
  queues: z.record(z.string(), z.strictObject({ retentionSeconds: z.number().min(60) })).optional(),
  endpoint: z.union([z.literal('aws'), z.url()]).optional(),
})

const problems = (value: unknown) => problemsOf(schema, schema.safeParse(value).error!)

test.each<[unknown, string]>([
  [{ lisen: {} }, 'lisen: unknown key; did you mean listen?'],
  [{ listen: { mqt: 1 } }, 'listen.mqt: unknown key; did you mean mqtt?'],
  [{ listen: { banana: 1 } }, 'listen.banana: unknown key; known here: mqtt, host'],
  [{ listen: { mqtt: 'x' } }, 'listen.mqtt: expected number, received string'],
  [{ actions: [{ sqs: { queueURL: 'q', queueUrl: 'q' } }] }, 'actions[0].sqs.queueURL: unknown key; did you mean queueUrl?'],
  [{ queues: { telemetry: { retentionSeconds: 1 } } }, 'queues.telemetry.retentionSeconds: Too small: expected number to be >=60'],
  [{ endpoint: 7 }, 'endpoint: expected "aws" or string, received number'],
  [7, '(top level): expected object, received number'],
])('%j', (value, sentence) => expect(problems(value)).toContain(sentence))

test('all problems are told together', () => {
  expect(problems({ listen: { mqtt: 'x' }, nope: 1, queues: { a: {} } })).toHaveLength(3)
})
