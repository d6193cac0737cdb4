// Every place that reports a failed call tells an endpoint that does not answer from one that answers with an error.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { answerText, silenceOf } from '../../../gateway/aws/answer.ts'
import { createAws } from '../../../gateway/aws/clients.ts'
import { withAws } from '../../../gateway/cli/reach.ts'
import { queueNames } from '../../../gateway/consume/redrive.ts'
import { createSqsQueue } from '../../../gateway/consume/sqs-queue.ts'
import { readDeployed } from '../../../gateway/doctor/deployed.ts'
import { readEstate } from '../../../gateway/doctor/estate.ts'
import { prepareResources } from '../../../gateway/local/reach.ts'
import { resourcesSchema } from '../../../gateway/local/resources.ts'
import { systemClock as clock } from '../../../lib/clock.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'

const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:9'), { code: 'ECONNREFUSED' })
const denied = Object.assign(new Error('Access\n  is denied'), { name: 'AccessDenied', $metadata: { httpStatusCode: 403 } })

test.each([
  [refused, 'does not answer (ECONNREFUSED)'],
  [Object.assign(new Error('no such host'), { code: 'ENOTFOUND' }), 'does not answer (ENOTFOUND)'],
  [Object.assign(new Error('slow'), { name: 'TimeoutError' }), 'does not answer (timed out)'],
  [new DOMException('slow', 'TimeoutError'), 'does not answer (timed out)'],
  [new TypeError('fetch failed', { cause: refused }), 'does not answer (ECONNREFUSED)'],
  [denied, 'answers with AccessDenied (HTTP 403): Access is denied'],
  [Object.assign(denied, { code: 'EACCES' }), 'answers with AccessDenied (HTTP 403): Access is denied'],
  [Object.assign(new Error('x'.repeat(500)), { $metadata: { httpStatusCode: 500 } }), `answers with Error (HTTP 500): ${'x'.repeat(200)}…`],
  [Object.assign(new Error('no profile'), { name: 'CredentialsProviderError' }), 'cannot be asked: no profile'],
  ['text', 'cannot be asked: Error'],
])('%s: %s', (error, text) => {
  expect(answerText(error)).toBe(text)
  expect(silenceOf(error) === undefined).toBe(!text.startsWith('does not answer'))
})

/** The address of a server that answers each request with `Invalid parameter`, or of no server. */
async function anEndpoint(answers: boolean): Promise<string> {
  const body = JSON.stringify({ __type: 'com.amazonaws.sqs#InvalidParameterValue', message: 'Invalid parameter: QueueName' })
  const server = createServer((_, response) => void response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' }).end(body))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const close = () => new Promise((resolve) => server.close(resolve).closeAllConnections())
  if (answers) onTestFinished(() => void close())
  else await close()
  return `http://127.0.0.1:${port}`
}

const account = { region: 'us-east-1', accountId: '000000000000' }

function anAws(endpoint: string) {
  const aws = createAws({ ...account, endpoint })
  onTestFinished(() => aws.stop())
  return aws
}

const messageOf = (work: Promise<unknown>) =>
  work.then(
    () => 'no error',
    ({ message }: Error) => message,
  )

const places: Readonly<Record<string, (endpoint: string) => Promise<string>>> = {
  'a consumer': (endpoint) => messageOf(createSqsQueue({ aws: anAws(endpoint), name: 'q', visibilityTimeoutSeconds: 30, clock }).depth()),
  'a list of queues': (endpoint) => messageOf(queueNames(anAws(endpoint))),
  async doctor(endpoint) {
    return messageOf(readDeployed(await readEstate({}), { aws: anAws(endpoint), region: account.region, where: endpoint }))
  },
  async 'the start of a gateway'(endpoint) {
    const observe = createSpyObserve()
    const stop = new AbortController()
    const resources = resourcesSchema.parse({ queues: { q: {} } })
    const aws = anAws(endpoint)
    await prepareResources(aws, resources, endpoint, { observe, clock, random: () => 0, signal: stop.signal })
    stop.abort(new Error('stopped'))
    expect(aws.isReady).toBe(false)
    return String(observe.of('gateway.degraded')[0]!.detail)
  },
}

test.each(Object.entries(places))('%s reports an error response as an answer, and a refused connection as none', async (_, messageAt) => {
  const answered = await messageAt(await anEndpoint(true))
  expect(answered).toMatch(/answers with InvalidParameterValue \(HTTP 400\): Invalid parameter: QueueName/)
  expect(answered).not.toContain('does not answer')
  expect(await messageAt(await anEndpoint(false))).toContain('does not answer (ECONNREFUSED)')
})

test('a command names the error of an endpoint that answers, and says how to start one where none does', async () => {
  const list = (awsEndpoint: string) => messageOf(withAws({ ...account, awsEndpoint }, queueNames))
  expect(await list(await anEndpoint(true))).toMatch(
    /answers with InvalidParameterValue \(HTTP 400\): Invalid parameter.*check --aws-endpoint/,
  )
  expect(await list(await anEndpoint(false))).toMatch(/^no SQS answers at http.*weir up/)
})
