// What becomes of a message, by how many rules and actions it meets and how they fare.
import { beforeEach, expect, test } from 'vitest'
import { type Delivery, fromPromise, type Sink } from '../../../gateway/actions/action.ts'
import { createDispatch, type Fate } from '../../../gateway/delivery/dispatch.ts'
import { GatewayError } from '../../../gateway/errors.ts'
import { bytesOf } from '../../../gateway/message/body.ts'
import { createRuleSet, type Rule } from '../../../gateway/rules/rule-set.ts'
import { toOutlet } from '../../helpers/delivery.ts'
import { createMessage } from '../../helpers/message.ts'
import { createSpyObserve, type SpyObserve } from '../../helpers/spy-observe.ts'

let observe: SpyObserve
let delivered: Delivery[]

beforeEach(() => {
  observe = createSpyObserve()
  delivered = []
})

const body = Buffer.from('body')
const refused = new GatewayError('ACTION_REFUSED', 'no')

const accepting = (action = 'sqs'): Sink => ({
  action,
  deliver: fromPromise(async (delivery) => void delivered.push(delivery)),
})
const failing = (error: unknown = refused): Sink => ({ action: 'sns', deliver: fromPromise(() => Promise.reject(error)) })
const aRule = (name: string, sinks: readonly Sink[], more: Partial<Rule> = {}): Rule => ({
  name,
  filter: 'dt/#',
  evaluate: () => body,
  outlets: sinks.map((sink, index) => toOutlet(sink, name, String(index))),
  warnings: [],
  ...more,
})

interface Given {
  readonly topic?: string
  readonly signal?: AbortSignal
  readonly settle?: (fate: Fate) => void
}

const start = (rules: readonly Rule[], { topic = 'dt/line/7', signal = new AbortController().signal, settle = () => {} }: Given = {}) =>
  createDispatch({ observe, environment: { accountId: '000000000000' } })(
    createMessage('x', { topic }),
    createRuleSet(rules),
    signal,
    settle,
  )

const run = (rules: readonly Rule[], given: Given = {}) =>
  new Promise<Fate>((resolve) => {
    start(rules, { ...given, settle: resolve })
  })

/** What is known when the call returns. */
const atOnce = (rules: readonly Rule[], given: Given = {}) => {
  const fates: Fate[] = []
  start(rules, { ...given, settle: (fate) => fates.push(fate) })
  return fates
}

const keys = () => delivered.map(({ key }) => key.slice(key.indexOf('.')))

test('what no rule wants is known at once', () => {
  expect(atOnce([aRule('a', [accepting()])], { topic: 'other' })).toEqual(['unmatched'])
  expect(atOnce([aRule('a', [accepting()], { evaluate: () => undefined })])).toEqual(['unmatched'])
  expect(atOnce([aRule('a', [], { evaluate: () => undefined }), aRule('b', [], { evaluate: () => undefined })])).toEqual(['unmatched'])
})

test('one rule with one action', async () => {
  expect(await run([aRule('a', [accepting()])])).toBe('delivered')
  expect(keys()).toEqual(['.a.0'])
  expect(observe.of('rule.matched')).toEqual([{ rule: 'a' }])
  expect(observe.of('action.delivered')).toEqual([{ rule: 'a', action: 'sqs' }])
})

test('every action of every rule has a key of its own', async () => {
  const quiet = aRule('quiet', [accepting()], { evaluate: () => undefined })
  expect(await run([aRule('a', [accepting(), accepting()]), quiet, aRule('b', [accepting()])])).toBe('delivered')
  expect(keys().sort()).toEqual(['.a.0', '.a.1', '.b.0'])
})

test('the actions have seen the message before the call returns, so the order of the calls is theirs', () => {
  start([aRule('a', [accepting()]), aRule('b', [accepting(), accepting()])])
  expect(delivered).toHaveLength(3)
})

test.each([
  ['alone', [failing()]],
  ['beside one that accepts', [accepting(), failing()]],
])('an action that gives up, %s, makes the message dead, by its code', async (_, sinks) => {
  expect(await run([aRule('a', sinks)])).toBe('dead')
  expect(observe.of('action.failed')).toMatchObject([{ rule: 'a', action: 'sns', code: 'ACTION_REFUSED' }])
  expect(observe.of('message.dead')).toMatchObject([{ rule: 'a', code: 'ACTION_REFUSED' }])
})

test('a sink that throws instead of rejecting is no different', async () => {
  const throwing: Sink = {
    action: 'sns',
    deliver() {
      throw refused
    },
  }
  expect(await run([aRule('a', [throwing])])).toBe('dead')
  expect(await run([aRule('a', [throwing, accepting()])])).toBe('dead')
})

test('an expression that fails is dead, whatever the other rules say', async () => {
  const broken = aRule('broken', [accepting()], {
    evaluate() {
      throw new GatewayError('RULE_FAILED', 'too deep')
    },
  })
  expect(atOnce([broken])).toEqual(['dead'])
  expect(await run([aRule('a', [accepting()]), broken])).toBe('dead')
  expect(observe.of('rule.failed')).toHaveLength(2)
})

test('the error action gets one envelope with all failures', async () => {
  expect(await run([aRule('a', [failing(), failing()], { errorSink: accepting('errors') })])).toBe('dead')
  expect(keys()).toEqual(['.a.error'])
  expect(JSON.parse(bytesOf(delivered[0]!.body).toString()).failures).toHaveLength(2)
  expect(observe.of('message.dead')).toMatchObject([{ code: 'ERROR_ACTION' }])
})

test.each([
  ['one action', [failing()]],
  ['two actions', [failing(), accepting()]],
])('a stop leaves the message to its owner: %s', async (_, sinks) => {
  const stop = new AbortController()
  const running = run([aRule('a', sinks)], { signal: stop.signal })
  stop.abort(new Error('stopped'))
  expect(await running).toBe('left')
  expect(observe.of('message.dead')).toEqual([])
})

test('Basic Ingest goes to the rule it names and to no other [AWS iot-basic-ingest]', async () => {
  const rules = [aRule('a', [accepting()]), aRule('b', [accepting()])]
  expect(await run(rules, { topic: '$aws/rules/b/dt/line' })).toBe('delivered')
  expect(keys()).toEqual(['.b.0'])
  expect(atOnce(rules, { topic: '$aws/rules/nobody/dt/line' })).toEqual(['unmatched'])
  expect(observe.of('rule.failed')).toMatchObject([{ code: 'RULE_NOT_FOUND' }])
})
