import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { createAws } from '../../../gateway/aws/clients.ts'
import { readDeployed } from '../../../gateway/doctor/deployed.ts'
import { type Estate, readEstate } from '../../../gateway/doctor/estate.ts'
import { examine } from '../../../gateway/doctor/index.ts'
import { ensureResources, resourcesSchema } from '../../../gateway/local/resources.ts'
import { startTestAws, type TestAws } from '../../helpers/fauxqs.ts'

let local: TestAws
let control: Server
let requests: IncomingMessage[] = []
let rules: Record<string, object> = {}

beforeAll(async () => {
  local = await startTestAws()
  control = createServer((request, response) => {
    requests.push(request)
    const rule = rules[request.url!.replace('/rules/', '')]
    response.writeHead(rule ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(rule ? { rule } : { message: 'none' }))
  })
  await new Promise<void>((resolve) => control.listen(0, '127.0.0.1', resolve))
})

afterAll(async () => {
  control.close()
  await local.stop()
})

afterEach(() => {
  requests = []
  rules = {}
  vi.unstubAllEnvs()
})

const iotEndpoint = () => `http://127.0.0.1:${(control.address() as AddressInfo).port}`
const options = () => ({ aws: local.aws, region: 'us-east-1', where: 'AWS' })
const ids = (estate: Estate) => [...new Set(examine(estate).flatMap(({ id, severity }) => (severity === 'error' ? [id] : [])))].sort()

test('nothing deployed is everything missing', async () => {
  const estate = await readEstate({})
  const deployed = await readDeployed(estate, { ...options(), iotEndpoint: iotEndpoint() })
  expect(ids({ ...estate, deployed })).toEqual(['deployed-queue-missing', 'deployed-rule-missing', 'deployed-topic-missing'])
})

test('what was made from the files is what the files say; a change by hand is found', async () => {
  const estate = await readEstate({})
  const described = {
    queues: { telemetry: { retentionSeconds: 3_600 }, alerts: {}, doors: {} },
    topics: { alerts: { queues: ['alerts'] } },
  }
  const resources = resourcesSchema.parse(described)
  await ensureResources(local.aws, resources)
  const queue = estate.queues.find(({ name }) => name === 'telemetry')!
  const mine: Estate = {
    ...estate,
    queues: [
      { ...queue, retentionSeconds: 3_600 },
      { ...queue, name: 'doors' },
    ],
    topics: [{ file: 'resources.json', field: 'topics.alerts', name: 'alerts', queues: ['alerts'] }],
  }
  for (const { file } of estate.rules) rules[file.name] = file

  const deployed = await readDeployed(mine, { ...options(), iotEndpoint: iotEndpoint() })
  const findings = examine({ ...mine, deployed }).filter(({ id }) => id.startsWith('deployed') || id === 'queue-without-dlq')
  expect(findings).toEqual([])
  expect(deployed.topics.get('alerts')).toEqual(['alerts'])
  expect(deployed.queues.get('telemetry')).toMatchObject({
    retentionSeconds: 3_600,
    redrive: { deadLetterQueue: 'telemetry-dlq', maxReceiveCount: 10, retentionSeconds: 1_209_600 },
  })

  rules.telemetry = { ...rules.telemetry, sql: "SELECT * FROM 'other'" }
  const later = await readDeployed({ ...mine, queues: [queue] }, { ...options(), iotEndpoint: iotEndpoint() })
  const found = examine({ ...mine, queues: [queue], deployed: later }).filter(({ id }) => id.startsWith('deployed'))
  expect(found).toMatchObject([
    { id: 'deployed-queue-differs', text: 'it is 345600 here and 3600 at AWS' },
    { id: 'deployed-rule-differs', field: 'sql', text: 'the statement is another at AWS' },
  ])
})

test('rules are asked for with a signature for the control plane, by the credentials the SDK finds', async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
  vi.stubEnv('AWS_SESSION_TOKEN', 'token')
  const { rules: checked, ...estate } = await readEstate({})
  const aws = createAws({ region: 'eu-west-1', accountId: '111122223333' })
  await readDeployed(
    { ...estate, rules: checked.slice(0, 1), queues: [], topics: [] },
    { aws, region: 'eu-west-1', where: 'AWS', iotEndpoint: iotEndpoint() },
  )
  aws.stop()
  expect(requests).toHaveLength(1)
  const { method, url, headers } = requests[0]!
  expect([method, url]).toEqual(['GET', '/rules/command_replies'])
  expect(headers.authorization).toMatch(
    /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-west-1\/iot\/aws4_request, SignedHeaders=host;x-amz-.*, Signature=[0-9a-f]{64}$/,
  )
  expect(headers['x-amz-security-token']).toBe('token')
  expect(JSON.stringify(headers)).not.toContain('secret"')
})

test('without a control plane rules are not compared, and the answer says so', async () => {
  const estate = await readEstate({})
  expect((await readDeployed(estate, options())).rules).toBeUndefined()
})

test('nobody there is one sentence', async () => {
  const estate = await readEstate({})
  const aws = createAws({ endpoint: 'http://127.0.0.1:9', region: 'us-east-1', accountId: '000000000000' })
  await expect(readDeployed(estate, { ...options(), aws, where: 'http://127.0.0.1:9' })).rejects.toMatchObject({
    code: 'QUEUE_UNREACHABLE',
    message: 'http://127.0.0.1:9 does not answer (ECONNREFUSED)',
  })
  aws.stop()
})
