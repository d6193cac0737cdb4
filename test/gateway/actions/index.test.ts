import { expect, test } from 'vitest'
import { actionNames, actionSchema, localOnlyIn } from '../../../gateway/actions/index.ts'
import { bindSink, createDelivery, createDeps, delivered } from '../../helpers/delivery.ts'

const problems = (entry: unknown) => actionSchema.safeParse(entry).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)

test('an entry names exactly one action', () => {
  expect(problems({ sqs: { queueUrl: 'telemetry' } })).toBeUndefined()
  expect(problems({})).toEqual([`: must hold exactly one action, one of ${actionNames.join(', ')}`])
  expect(problems({ sqs: { queueUrl: 'a' }, log: {} })).toEqual([`: must hold exactly one action, one of ${actionNames.join(', ')}`])
  expect(problems('sqs')).toEqual([`: must be an object with one member, the action: ${actionNames.join(', ')}`])
})

test('an unknown action is named, and so are the known ones', () => {
  expect(problems({ kafka: { topic: 'x' } })).toEqual([`: unknown action "kafka"; known are ${actionNames.join(', ')}`])
})

test('a bad parameter is reported with its path', () => {
  expect(problems({ sqs: {} })).toEqual(['sqs.queueUrl: Invalid input: expected string, received undefined'])
  expect(problems({ sqs: { queueUrl: 'a', delay: 1 } })).toEqual(['sqs: Unrecognized key: "delay"'])
  expect(problems({ sqs: { queueUrl: 'doors.fifo' } })).toEqual([
    'sqs.groupId: a FIFO queue needs a groupId that says what is kept in order, for example "${topic(5)}"',
  ])
})

test('parameters that AWS does not have are listed when used, and only then', () => {
  const used = (entry: unknown) => localOnlyIn(actionSchema.parse(entry))
  expect(used({ sqs: { queueUrl: 'a' } })).toEqual([])
  expect(used({ sqs: { queueUrl: 'a', groupId: '${topic(3)}' } })).toEqual(['sqs.groupId'])
  expect(used({ http: { url: 'https://example.com' } })).toEqual([])
  expect(used({ http: { url: 'https://example.com', timeoutMs: 500 } })).toEqual(['http.timeoutMs'])
  expect(used({ log: {} })).toEqual(['log'])
})

test('a bound action delivers', async () => {
  const deps = createDeps()
  const sink = bindSink(actionSchema.parse({ log: { maxBytes: 5 } }), deps)
  await delivered(sink, createDelivery({ body: '{"temperature":4}' }), new AbortController().signal)
  expect(deps.observe.of('action.logged')).toMatchObject([{ rule: 'telemetry', bytes: 17, detail: '{"tem…' }])
})
