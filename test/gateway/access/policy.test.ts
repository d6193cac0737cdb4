import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { operatorNames } from '../../../gateway/access/conditions.ts'
import { compilePolicies, type Verdict } from '../../../gateway/access/policy.ts'
import { type PolicyDocument, type PolicyStatement, policyDocumentSchema } from '../../../gateway/access/policy-document.ts'
import type { PolicyContext } from '../../../gateway/access/policy-variables.ts'
import { evaluateVector, parseVector } from '../../../gateway/cli/policy-vectors.ts'

const prefix = 'arn:aws:iot:us-east-1:123456789012:'

/** `~` stands for the ARN prefix. */
const policyOf = (...statements: readonly unknown[]): PolicyDocument =>
  policyDocumentSchema.parse(JSON.parse(JSON.stringify({ Version: '2012-10-17', Statement: statements }).replaceAll('"~', `"${prefix}`)))

const allow = (action: string, resource: string, more: object = {}) => ({ Effect: 'Allow', Action: action, Resource: resource, ...more })
const deny = (action: string, resource: string, more: object = {}) => ({ Effect: 'Deny', Action: action, Resource: resource, ...more })

const decide = (
  document: PolicyDocument | readonly PolicyDocument[],
  action: string,
  resource: string,
  context: PolicyContext = {},
): Verdict => compilePolicies([document].flat()).bind(context).decide(action, resource.replace('~', prefix))

describe('vectors', () => {
  const folder = new URL('../../cases/policy/', import.meta.url)
  const files = readdirSync(folder).filter((name) => name.endsWith('.jsonl'))
  const vectors = files.flatMap((file) =>
    readFileSync(new URL(file, folder), 'utf8')
      .split('\n')
      .flatMap((line, index) => (line === '' ? [] : [parseVector(line, index + 1)])),
  )

  test('there are some, each with a name of its own', () => {
    expect(vectors.length).toBeGreaterThanOrEqual(127)
    expect(new Set(vectors.map(({ id }) => id)).size).toBe(vectors.length)
  })

  test.each(vectors)('$id', (vector) => {
    expect(evaluateVector(vector, vector.id).decision, vector.source).toBe(vector.expect?.decision)
  })
})

describe('recipes', () => {
  const registered: PolicyContext = { clientId: 'c', thing: { name: 'c', attachedToPrincipal: true } }
  const loose: PolicyContext = { clientId: 'c', thing: { name: 'c', attachedToPrincipal: false } }
  const attribute = (operator: string, ...values: string[]) => ({ Condition: { [operator]: { 'iot:ConnectAttributes': values } } })
  const connecting = (...connectAttributes: string[]): PolicyContext => ({ clientId: 'c', connectAttributes })

  test('only its own client id', () => {
    const policy = policyOf(allow('iot:Connect', '~client/${iot:Connection.Thing.ThingName}'))
    expect(decide(policy, 'iot:Connect', '~client/c', registered).decision).toBe('allow')
    expect(decide(policy, 'iot:Connect', '~client/d', registered).decision).toBe('implicitDeny')
    expect(decide(policy, 'iot:Connect', '~client/c', { clientId: 'c' }).decision).toBe('implicitDeny')
  })

  test('registered and attached only', () => {
    const policy = policyOf(allow('iot:Connect', '*', { Condition: { Bool: { 'iot:Connection.Thing.IsAttached': ['true'] } } }))
    expect(decide(policy, 'iot:Connect', '~client/c', registered).decision).toBe('allow')
    expect(decide(policy, 'iot:Connect', '~client/c', loose).decision).toBe('implicitDeny')
    expect(decide(policy, 'iot:Connect', '~client/c', { clientId: 'c' }).decision).toBe('implicitDeny')
  })

  const plain = connecting()
  const persistent = connecting('PersistentConnect')
  const will = connecting('LastWill')
  const both = connecting('PersistentConnect', 'LastWill')
  const yes = 'allow'
  const no = 'implicitDeny'
  const never = 'explicitDeny'

  test.each<[name: string, statements: readonly unknown[], decisions: readonly Verdict['decision'][]]>([
    ['no condition', [allow('iot:Connect', '*')], [yes, yes, yes, yes]],
    ['ForAllValues []', [allow('iot:Connect', '*', attribute('ForAllValues:StringEquals'))], [yes, no, no, no]],
    ['ForAllValues [P]', [allow('iot:Connect', '*', attribute('ForAllValues:StringEquals', 'PersistentConnect'))], [yes, yes, no, no]],
    ['ForAllValues [L]', [allow('iot:Connect', '*', attribute('ForAllValues:StringEquals', 'LastWill'))], [yes, no, yes, no]],
    [
      'ForAllValues [P, L]',
      [allow('iot:Connect', '*', attribute('ForAllValues:StringEquals', 'PersistentConnect', 'LastWill'))],
      [yes, yes, yes, yes],
    ],
    [
      'ForAllValues not [P]',
      [allow('iot:Connect', '*', attribute('ForAllValues:StringNotEquals', 'PersistentConnect'))],
      [yes, no, yes, no],
    ],
    ['ForAnyValue [P]', [allow('iot:Connect', '*', attribute('ForAnyValue:StringEquals', 'PersistentConnect'))], [no, yes, no, yes]],
    [
      'Deny ForAnyValue [P]',
      [allow('iot:Connect', '*'), deny('iot:Connect', '*', attribute('ForAnyValue:StringEquals', 'PersistentConnect'))],
      [yes, never, yes, never],
    ],
    [
      'both required',
      [
        allow('iot:Connect', '*', attribute('ForAllValues:StringEquals', 'PersistentConnect', 'LastWill')),
        deny('iot:Connect', '*', attribute('ForAllValues:StringEquals', 'PersistentConnect')),
        deny('iot:Connect', '*', attribute('ForAllValues:StringEquals', 'LastWill')),
        deny('iot:Connect', '*', attribute('ForAllValues:StringEquals')),
      ],
      [never, never, never, yes],
    ],
  ])('plain, persistent, will, both under %s', (_name, statements, decisions) => {
    const policy = policyOf(...statements)
    expect([plain, persistent, will, both].map((context) => decide(policy, 'iot:Connect', '~client/c', context).decision)).toEqual(
      decisions,
    )
  })

  test('a will only on one topic', () => {
    const policy = policyOf(allow('iot:Connect', '*', { Condition: { ArnEquals: { 'iot:LastWillTopic': '~topic/my/will' } } }))
    const withWill = (topic: string) => decide(policy, 'iot:Connect', '~client/c', { ...will, lastWillTopic: `${prefix}topic/${topic}` })
    expect(withWill('my/will').decision).toBe('allow')
    expect(withWill('my/other').decision).toBe('implicitDeny')
    expect(decide(policy, 'iot:Connect', '~client/c', plain).decision).toBe('implicitDeny')
  })

  test('retaining is a right of its own', () => {
    const policy = policyOf(allow('iot:Publish', '~topic/a'))
    expect(decide(policy, 'iot:RetainPublish', '~topic/a').decision).toBe('implicitDeny')
  })

  test('Receive, not Subscribe, keeps a branch secret', () => {
    const leaky = policyOf(allow('iot:Subscribe', '~topicfilter/a/*'), deny('iot:Subscribe', '~topicfilter/a/restricted/*'))
    expect(decide(leaky, 'iot:Subscribe', '~topicfilter/a/#').decision).toBe('allow')
    const tight = policyOf({ Effect: 'Allow', Action: 'iot:Receive', NotResource: '~topic/a/restricted/*' })
    expect(decide(tight, 'iot:Receive', '~topic/a/b').decision).toBe('allow')
    expect(decide(tight, 'iot:Receive', '~topic/a/restricted/b').decision).toBe('implicitDeny')
  })

  test('an existing subscriber is cut off by a Deny on Receive', () => {
    const policy = policyOf(allow('iot:*', '*'), deny('iot:Receive', '~topic/a'))
    expect(decide(policy, 'iot:Receive', '~topic/a').decision).toBe('explicitDeny')
    expect(decide(policy, 'iot:Receive', '~topic/b').decision).toBe('allow')
  })

  test('only certificates of listed organisations', () => {
    const policy = policyOf(
      allow('iot:Publish', '~topic/a', {
        Condition: { 'ForAllValues:StringEquals': { 'iot:Certificate.Subject.Organization.List': ['A', 'B'] } },
      }),
    )
    const from = (...Organization: string[]) =>
      decide(policy, 'iot:Publish', '~topic/a', { certificate: { Subject: { Organization } } }).decision
    expect([from('A'), from('A', 'B'), from('A', 'C')]).toEqual(['allow', 'allow', 'implicitDeny'])
  })
})

test('the verdict names its statement', () => {
  const documents = [
    policyOf(allow('iot:Connect', '*'), { Sid: 'own', ...allow('iot:Publish', '~topic/${iot:ClientId}/*') }),
    policyOf({ Sid: 'secret', ...deny('iot:Publish', '~topic/*/secret') }),
  ]
  expect(decide(documents, 'iot:Publish', '~topic/c/x', { clientId: 'c' })).toEqual({
    decision: 'allow',
    by: { policy: 0, statement: 1, sid: 'own' },
  })
  expect(decide(documents, 'iot:Publish', '~topic/c/secret', { clientId: 'c' })).toEqual({
    decision: 'explicitDeny',
    by: { policy: 1, statement: 0, sid: 'secret' },
  })
  expect(decide(documents, 'iot:Subscribe', '~topicfilter/x', { clientId: 'c' })).toEqual({ decision: 'implicitDeny' })
})

test.each<[action: string, covers: boolean]>([
  ['iot:Publish', true],
  ['IOT:publish', true],
  ['iot:*', true],
  ['iot:P*', true],
  ['iot:Publis?', true],
  ['*', true],
  ['iot:RetainPublish', false],
])('action %s covers iot:Publish: %s', (action, covers) => {
  expect(decide(policyOf(allow(action, '*')), 'iot:Publish', '~topic/a').decision === 'allow').toBe(covers)
})

test('NotAction covers everything else', () => {
  const policy = policyOf({ Effect: 'Allow', NotAction: ['iot:Publish', 'iot:Retain*'], Resource: '*' })
  expect(decide(policy, 'iot:Connect', '~client/a').decision).toBe('allow')
  expect(decide(policy, 'iot:publish', '~topic/a').decision).toBe('implicitDeny')
  expect(decide(policy, 'iot:RetainPublish', '~topic/a').decision).toBe('implicitDeny')
})

test('an unresolved variable in NotResource gives no access and takes none away', () => {
  const other = { NotResource: '~topic/${iot:Connection.Thing.ThingName}', Resource: undefined }
  expect(decide(policyOf(allow('iot:Publish', '', other)), 'iot:Publish', '~topic/a').decision).toBe('implicitDeny')
  const strict = policyOf(allow('iot:Publish', '*'), deny('iot:Publish', '', other))
  expect(decide(strict, 'iot:Publish', '~topic/a').decision).toBe('explicitDeny')
})

test('a statement bound before midnight ends at midnight', () => {
  let now = Date.UTC(2026, 0, 1, 23, 59)
  const policy = policyOf(allow('iot:Publish', '*', { Condition: { DateLessThan: { 'aws:CurrentTime': '2026-01-02T00:00:00Z' } } }))
  const bound = compilePolicies([policy]).bind({ now: () => now })
  expect(bound.decide('iot:Publish', `${prefix}topic/a`).decision).toBe('allow')
  now += 60_000
  expect(bound.decide('iot:Publish', `${prefix}topic/a`).decision).toBe('implicitDeny')
})

describe('properties', () => {
  const actions = ['iot:Connect', 'iot:Publish', 'iot:Subscribe', 'iot:Receive', 'iot:RetainPublish'] as const
  const text = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.constantFrom(
      '*',
      '?',
      'a/*',
      '${iot:ClientId}',
      '${*}',
      '${iot:Certificate.Subject.CommonName.1}',
      '${',
      '${}',
      '10.0.0.0/8',
      'true',
      '1',
    ),
  )
  const action = fc.constantFrom(...actions, 'iot:*', '*', 'iot:P?blish')
  const resource = fc.oneof(
    fc.constant('*'),
    text.map((name) => `arn:aws:iot:us-east-1:123456789012:topic/${name}`),
  )
  const list = <T>(item: fc.Arbitrary<T>) => fc.oneof(item, fc.array(item, { minLength: 1, maxLength: 3 }))
  const operator = fc
    .tuple(
      fc.constantFrom('', 'ForAllValues:', 'ForAnyValue:'),
      fc.constantFrom(...operatorNames.filter((name) => name !== 'Null')),
      fc.constantFrom('', 'IfExists'),
    )
    .map((parts) => parts.join(''))
  const key = fc.oneof(text, fc.constantFrom('iot:ClientId', 'aws:SourceIp', 'iot:ConnectAttributes', 'iot:Connection.Thing.Attributes[a]'))
  const conditions = fc.dictionary(
    fc.oneof(operator, fc.constant('Null')),
    fc.dictionary(key, list(text), { maxKeys: 2, noNullPrototype: true }),
    {
      maxKeys: 2,
      noNullPrototype: true,
    },
  )
  const statement = fc
    .tuple(
      fc.constantFrom('Allow', 'Deny'),
      fc.boolean(),
      list(action),
      fc.boolean(),
      list(resource),
      fc.option(conditions, { nil: undefined }),
    )
    .map(([Effect, notAction, Action, notResource, Resource, Condition]) => ({
      Effect,
      [notAction ? 'NotAction' : 'Action']: Action,
      [notResource ? 'NotResource' : 'Resource']: Resource,
      ...(Condition ? { Condition } : {}),
    }))
  const document = fc
    .array(statement, { minLength: 1, maxLength: 4 })
    .map((Statement) => policyDocumentSchema.safeParse({ Version: '2012-10-17', Statement }))
    .filter(({ success }) => success)
    .map(({ data }) => data!)
  const context: fc.Arbitrary<PolicyContext> = fc.record(
    {
      clientId: text,
      sourceIp: text,
      connectAttributes: fc.array(text, { maxLength: 2 }),
      certificate: fc.record({ Subject: fc.record({ CommonName: fc.array(text, { maxLength: 3 }) }) }),
      thing: fc.option(fc.record({ name: text, attributes: fc.dictionary(text, text, { maxKeys: 2 }) })),
    },
    { requiredKeys: [] },
  )
  const asked = fc.oneof(
    fc.constant('*'),
    text.map((name) => `arn:aws:iot:us-east-1:123456789012:topic/${name}`),
  )
  const question = fc.tuple(fc.constantFrom(...actions), asked)

  test('nothing that passes the schema makes a decision fail', () => {
    fc.assert(
      fc.property(fc.array(document, { maxLength: 2 }), context, question, (documents, facts, [what, where]) => {
        const { decision, by } = compilePolicies(documents).bind(facts).decide(what, where)
        expect(by === undefined).toBe(decision === 'implicitDeny')
      }),
      { numRuns: 500 },
    )
  })

  test('any JSON is a policy or is refused with a sentence', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (Statement) => {
        const { data, error } = policyDocumentSchema.safeParse({ Version: '2012-10-17', Statement })
        if (data) compilePolicies([data]).bind({}).decide('iot:Publish', '*')
        else expect(error?.issues.length).toBeGreaterThan(0)
      }),
    )
  })

  test('one more Deny never allows what was not allowed', () => {
    const denial = statement.map((made) => ({ ...made, Effect: 'Deny' as const }) as PolicyStatement)
    fc.assert(
      fc.property(document, denial, context, question, (before, extra, facts, [what, where]) => {
        const after = policyDocumentSchema.safeParse({ Version: '2012-10-17', Statement: [before.Statement, extra].flat() })
        fc.pre(after.success)
        const was = decide(before, what, where, facts).decision
        const is = decide(after.data!, what, where, facts).decision
        if (was !== 'allow') expect(is).not.toBe('allow')
        if (was === 'explicitDeny') expect(is).toBe('explicitDeny')
      }),
      { numRuns: 500 },
    )
  })

  test('* on * allows everything', () => {
    const everything = compilePolicies([policyOf(allow('*', '*'))])
    fc.assert(
      fc.property(context, fc.string(), fc.string({ unit: 'binary' }), (facts, what, where) => {
        expect(everything.bind(facts).decide(what, where).decision).toBe('allow')
      }),
    )
  })
})
