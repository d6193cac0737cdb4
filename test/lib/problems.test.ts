import { expect, test } from 'vitest'
import { z } from 'zod'
import { parseAs, parseOrProblems } from '../../lib/problems.ts'

const schema = z.strictObject({
  listen: z.strictObject({ mqtt: z.number().default(1883), host: z.string().optional() }).default({ mqtt: 1883 }),
  actions: z
    .array(z.union([z.strictObject({ sqs: z.strictObject({ queueUrl: z.string() }) }), z.strictObject({ log: z.strictObject({}) })]))
    .optional(),
  queues: z.record(z.string(), z.strictObject({ retentionSeconds: z.number().min(60) })).optional(),
  level: z.enum(['debug', 'info', 'warn']).optional(),
  model: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('freezer'), setpoint: z.number() }),
      z.strictObject({ kind: z.literal('meter') }),
    ])
    .optional(),
})

const parse = (value: unknown) => parseAs(schema, value, 'weir.json', (problems) => new Error(problems))

test.each<[unknown, string]>([
  [{ lisen: {} }, 'lisen is not a known field; did you mean "listen"?'],
  [{ listen: { mqt: 1 } }, 'listen.mqt is not a known field; did you mean "mqtt"?'],
  [{ listen: { banana: 1 } }, 'listen.banana is not a known field; expected one of mqtt, host'],
  [{ listen: { mqtt: 'x' } }, 'listen.mqtt is "x"; expected number'],
  [{ actions: [{ sqs: { queueURL: 'q', queueUrl: 'q' } }] }, 'actions[0].sqs.queueURL is not a known field; did you mean "queueUrl"?'],
  [{ queues: { telemetry: {} } }, 'queues.telemetry.retentionSeconds is missing; expected number'],
  [{ queues: { telemetry: { retentionSeconds: 1 } } }, 'queues.telemetry.retentionSeconds is 1; expected >=60'],
  [{ level: 'inof' }, 'level is "inof"; did you mean "info"?'],
  [{ model: { kind: 'freezr' } }, 'model.kind is "freezr"; did you mean "freezer"?'],
  [{ model: { kind: 'freezer', setpiont: 1, setpoint: 1 } }, 'model.setpiont is not a known field; did you mean "setpoint"?'],
  [7, 'it is 7; expected object'],
])('%j', (value, sentence) => expect(() => parse(value)).toThrow(`weir.json: ${sentence}`))

test('all problems are told together, one a line', () => {
  const told = (() => {
    try {
      return parse({ listen: { mqtt: 'x' }, nope: 1, queues: { a: {} } })
    } catch (error) {
      return (error as Error).message
    }
  })()
  expect(String(told).split('\n')).toHaveLength(3)
})

test('what fits comes back with its defaults', () => expect(parse({})).toEqual({ listen: { mqtt: 1883 } }))

test('the same without throwing: the value, or each problem with its field', () => {
  const schema = z.strictObject({ port: z.number(), host: z.string() })
  expect(parseOrProblems(schema, { port: 1, host: 'h' })).toEqual({ value: { port: 1, host: 'h' } })
  expect(parseOrProblems(schema, { port: 'x', host: 2 })).toMatchObject({ problems: [{ field: 'port' }, { field: 'host' }] })
})
