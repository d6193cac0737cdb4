// The stack as it would be deployed: synthesized once, and looked at from all sides.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Local } from '../../gateway/local/local.ts'
import { bundle, root } from '../../infra/bundle.ts'
import { readConsumers } from '../../infra/consumers.ts'
import { resourceCounts } from '../../infra/report.ts'
import { type Template, validateTemplate } from '../../infra/schema.ts'
import { expectGolden } from '../helpers/golden.ts'
import { anSqs, call, queueUrl, receiveAll } from '../helpers/sqs.ts'

// biome-ignore lint/suspicious/noExplicitAny: a template is whatever CloudFormation takes
type Properties = any

let directory: string
let template: Template
let report: string

// `npm run synth`, in an empty directory and without a word about an account.
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'weir-synth-'))
  const child = spawn(process.execPath, [resolve('infra/app.ts')], { cwd: directory, env: { PATH: process.env.PATH } })
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  expect(stderr).toBe('')
  report = stdout
  template = JSON.parse(readFileSync(join(directory, 'cdk.out/Weir.template.json'), 'utf8'))
}, 240_000)

afterAll(() => rmSync(directory, { recursive: true, force: true }))

const consumers = readConsumers(join(root, 'infra/consumers.json'))

const ofType = (type: string): readonly (readonly [id: string, properties: Properties])[] =>
  Object.entries(template.Resources).flatMap(([id, { Type, Properties }]) => (Type === type ? [[id, Properties] as const] : []))

test.each([
  ['--help', { status: 0, stdout: expect.stringContaining('Examples:'), stderr: '' }],
  ['--bogus', { status: 2, stdout: '', stderr: expect.stringMatching(/^synth: unknown flag --bogus\n\nUsage: npm run synth\n/) }],
])('%s makes no stack', (flag, expected) => {
  const empty = mkdtempSync(join(directory, 'none-'))
  const { status, stdout, stderr } = spawnSync(process.execPath, [resolve('infra/app.ts'), flag], { cwd: empty, encoding: 'utf8' })
  expect({ status, stdout, stderr }).toEqual(expected)
  expect(readdirSync(empty)).toEqual([])
})

test('the template is the one that was reviewed', async () => {
  const written = JSON.stringify(template, undefined, 2).replaceAll(/[0-9a-f]{64}\.zip/g, '<code>.zip')
  await expectGolden('infra/Weir.template.json', `${written}\n`)
})

test('what synth reports is what was reviewed: nothing found, and why the rest is as it is', () => expectGolden('infra/report.txt', report))

test('CloudFormation has nothing to complain about', () => expect(validateTemplate(template)).toEqual([]))

test('docs/infra.md counts the resources as they are', () => {
  const page = readFileSync('docs/infra.md', 'utf8')
  for (const [type, count] of Object.entries(resourceCounts(template))) expect(page).toMatch(new RegExp(`\\| \`${type}\` \\| ${count} \\|`))
})

test('every rule file is there, with the same SQL under the same name', () => {
  const deployed = ofType('AWS::IoT::TopicRule').map(([, { RuleName, TopicRulePayload: rule }]) => ({
    name: RuleName,
    sql: rule.Sql,
    awsIotSqlVersion: rule.AwsIotSqlVersion,
    actions: rule.Actions.length,
  }))
  const files = readdirSync('infra/rules').map((file) => JSON.parse(readFileSync(`infra/rules/${file}`, 'utf8')))
  const written = files.map(({ name, sql, awsIotSqlVersion, actions }) => ({
    name,
    sql: [sql].flat().join('\n'),
    awsIotSqlVersion,
    actions: actions.length,
  }))
  const byName = (a: { name: string }, b: { name: string }) => a.name.localeCompare(b.name)
  expect(deployed.sort(byName)).toEqual(written.sort(byName))
})

test('every service may act only for this account, by name or by source', () => {
  const statements = Object.values(template.Resources).flatMap(({ Properties }) =>
    ['PolicyDocument', 'KeyPolicy', 'AssumeRolePolicyDocument'].flatMap((name) => (Properties as Properties)?.[name]?.Statement ?? []),
  )
  const ofServices = statements.filter(({ Effect, Principal }) => Effect === 'Allow' && Principal?.Service !== undefined)
  expect(ofServices.length).toBeGreaterThan(10)
  for (const { Principal, Condition } of ofServices) {
    // Lambda assumes its functions' roles without a source to ask for.
    if (Principal.Service === 'lambda.amazonaws.com') continue
    expect(JSON.stringify(Condition), Principal.Service).toMatch(/aws:Source(Arn|Account)/)
  }
  for (const [, { SourceArn, SourceAccount }] of ofType('AWS::Lambda::Permission'))
    expect([SourceArn, SourceAccount]).not.toContain(undefined)
})

test('every rule has an error action that ends in a queue, and a Basic Ingest name', () => {
  const outputs = JSON.stringify(template.Outputs)
  for (const [, { RuleName, TopicRulePayload }] of ofType('AWS::IoT::TopicRule')) {
    expect(template.Resources[TopicRulePayload.ErrorAction.Sqs.QueueUrl.Ref]?.Type).toBe('AWS::SQS::Queue')
    expect(outputs).toContain(`$aws/rules/${RuleName}/`)
  }
})

test('no two actions share a role, and none may do more than its one target', () => {
  const actions = ofType('AWS::IoT::TopicRule').flatMap(([, { TopicRulePayload: rule }]) => [...rule.Actions, rule.ErrorAction])
  const roles = actions.flatMap((action) =>
    Object.values<Properties>(action).flatMap(({ RoleArn }) => (RoleArn ? [RoleArn['Fn::GetAtt'][0]] : [])),
  )
  expect(new Set(roles).size).toBe(roles.length)
  const statements = roles.flatMap((role) => {
    const { Properties } = template.Resources[role] as Properties
    return Properties.Policies.flatMap(({ PolicyDocument }: Properties) => PolicyDocument.Statement)
  })
  expect(statements.length).toBeGreaterThanOrEqual(roles.length)
  for (const { Action, Resource } of statements) expect(JSON.stringify([Action, Resource])).not.toContain('*')
})

test('every queue is encrypted and refuses plain HTTP; every one but a dead-letter queue has a dead-letter queue that keeps longer', () => {
  const queues = ofType('AWS::SQS::Queue')
  const refusing = ofType('AWS::SQS::QueuePolicy').filter(([, policy]) => JSON.stringify(policy).includes('"aws:SecureTransport":"false"'))
  expect(refusing.length).toBe(queues.length)
  for (const [, { QueueName, SqsManagedSseEnabled, RedrivePolicy, MessageRetentionPeriod }] of queues) {
    expect(SqsManagedSseEnabled).toBe(true)
    if (/-dlq(\.fifo)?$/.test(QueueName)) continue
    const letters = template.Resources[RedrivePolicy.deadLetterTargetArn['Fn::GetAtt'][0]]!.Properties as Properties
    expect(letters.MessageRetentionPeriod).toBeGreaterThan(MessageRetentionPeriod)
  }
})

test('alarms may use their topic, and its key', () => {
  const policies = JSON.stringify([...ofType('AWS::SNS::TopicPolicy'), ...ofType('AWS::KMS::Key')])
  expect(policies).toMatch(/"Action":"sns:Publish","Condition":\{"ArnLike".{0,300}"Principal":\{"Service":"cloudwatch.amazonaws.com"\}/)
  expect(policies).toMatch(
    /"Action":\["kms:Decrypt","kms:GenerateDataKey\*"\],"Condition":\{"ArnLike".{0,400}"Principal":\{"Service":"cloudwatch.amazonaws.com"\}/,
  )
})

test('consumers are bounded, answer message by message, and finish before the message is shown to another', () => {
  const mappings = ofType('AWS::Lambda::EventSourceMapping')
  expect(mappings.length).toBe(consumers.length)
  for (const [, { FunctionResponseTypes, ScalingConfig, EventSourceArn, FunctionName }] of mappings) {
    expect(FunctionResponseTypes).toEqual(['ReportBatchItemFailures'])
    expect(ScalingConfig.MaximumConcurrency).toBeGreaterThanOrEqual(2)
    const { VisibilityTimeout } = template.Resources[EventSourceArn['Fn::GetAtt'][0]]!.Properties as Properties
    const { Timeout } = template.Resources[FunctionName.Ref]!.Properties as Properties
    expect(VisibilityTimeout).toBeGreaterThanOrEqual(6 * Timeout)
  }
})

test('code is the same bytes for the same sources', () => {
  const { entry } = consumers[0]!
  const read = (name: string) => {
    bundle(entry, join(directory, name))
    return readFileSync(join(directory, name, 'index.mjs'), 'utf8')
  }
  const once = read('once')
  expect(read('again')).toBe(once)
  expect(once).not.toContain(process.cwd())
})

/** Runs the file that Lambda would get, as Lambda does: a process of its own, imported, called with one event. */
async function invoke(bundled: string, event: string, { sqs }: { readonly sqs: Local }) {
  const code = `
    import { readFileSync } from 'node:fs'
    const { handler } = await import(${JSON.stringify(pathToFileURL(join(directory, 'cdk.out/bundles', bundled, 'index.mjs')).href)})
    const event = JSON.parse(readFileSync('test/cases/lambda-events/${event}.json', 'utf8'))
    const context = {
      getRemainingTimeInMillis: () => 10_000,
      awsRequestId: 'request-1',
      invokedFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:f',
    }
    console.log(JSON.stringify(await handler(event, context) ?? null))`
  const env = { AWS_ENDPOINT_URL_SQS: sqs.endpoint, AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' }
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { env: { ...process.env, ...env }, timeout: 15_000 })
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  const lines = stdout.trim().split('\n').filter(Boolean)
  return { stderr, logged: lines.slice(0, -1).map((line) => JSON.parse(line)), answer: JSON.parse(lines.at(-1) ?? '"nothing was printed"') }
}

async function withQueues(...names: readonly string[]): Promise<Local> {
  const sqs = await anSqs()
  for (const QueueName of names)
    await call(sqs.port, 'CreateQueue', { QueueName, Attributes: QueueName.endsWith('.fifo') ? { FifoQueue: 'true' } : {} })
  return sqs
}

test('telemetry: four readings handled, a pack of two among them, one buried with its reason, one reported', async () => {
  const sqs = await withQueues('telemetry', 'telemetry-dlq')
  const { stderr, logged, answer } = await invoke('Weir-Processing-Consumer-telemetry', 'telemetry', { sqs })
  expect(stderr).toBe('')
  expect(logged).toEqual([
    { tenant: 'acme', temperature: -9.5, key: '01JZ0000000000000000000002.telemetry.0' },
    { tenant: 'dairyland', temperature: -3.25, key: '01JZ0000000000000000000004.telemetry.0' },
  ])
  expect(answer).toEqual({ batchItemFailures: [] })
  const [letter, ...others] = await receiveAll(sqs.port, 'telemetry-dlq')
  expect(others).toEqual([])
  expect(letter).toMatchObject({
    body: '{"device":"freezer-2"}',
    attributes: { reason: 'HANDLER_REFUSED: the reading has no temperature' },
  })
})

test('telemetry, while the dead-letter queue is away: only what could not be buried is reported', async () => {
  const sqs = await withQueues()
  const { answer } = await invoke('Weir-Processing-Consumer-telemetry', 'telemetry', { sqs })
  expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: 'not-a-reading' }] })
})

test('door events: every group in its order', async () => {
  const { logged, answer } = await invoke('Weir-Processing-Consumer-door-events-fifo', 'door-events', { sqs: await withQueues() })
  expect(answer).toEqual({ batchItemFailures: [] })
  const keys = logged.map(({ key }: { key: string }) => key)
  expect([keys.filter((key) => /[02]$/.test(key)), keys.filter((key) => /[13]$/.test(key))]).toEqual([
    ['d0', 'd2'],
    ['d1', 'd3'],
  ])
})

test('the sender of a rule gives a message its group, its key and its tenant', async () => {
  const sqs = await withQueues('telemetry', 'door-events.fifo')
  await invoke('Weir-Ingest-Rule-telemetry-actions0-Sender', 'selected', { sqs })
  await invoke('Weir-Ingest-Rule-door_events-actions0-Sender', 'selected', { sqs })
  const body = JSON.stringify(JSON.parse(readFileSync('test/cases/lambda-events/selected.json', 'utf8')))
  expect(await receiveAll(sqs.port, 'telemetry')).toEqual([{ body, attributes: { messageId: 'request-1', tenant: 'acme' } }])
  const { Messages } = await call(sqs.port, 'ReceiveMessage', { QueueUrl: queueUrl(sqs.port, 'door-events.fifo'), AttributeNames: ['All'] })
  expect(Messages).toMatchObject([{ Body: body, Attributes: { MessageGroupId: 'freezer-7', MessageDeduplicationId: 'request-1' } }])
})
