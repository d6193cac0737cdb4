// Asking devices over the admin port of a real gateway: every outcome, as curl sees it, and a thousand questions at once.
import { expect, onTestFinished, test } from 'vitest'
import { answerCommands } from '../../device-sim/commands.ts'
import { mqtt } from '../../device-sim/drivers/mqtt.ts'
import { systemClock } from '../../lib/clock.ts'
import { aDevice } from '../helpers/mqtt-client.ts'
import { aGatewayProcess, runWeir } from '../helpers/program.ts'
import { receiveAll } from '../helpers/sqs.ts'

const where = (device: string) => `cmd/coldchain/acme/truck-1/${device}`
const never = new AbortController().signal

/** A fleet that answers, as `weir fleet` makes it. */
async function answering(port: number, ids: readonly string[], react = { changeInterval: () => {}, reboot: () => {} }) {
  const driver = mqtt.create({ target: new URL(`mqtt://127.0.0.1:${port}`), keepAliveMs: 60_000, clock: systemClock })
  onTestFinished(() => driver.stop())
  for (const device of ids) {
    const session = await driver.connect(device, never)
    onTestFinished(() => session.cut())
    await answerCommands(session, { device, filter: `${where(device)}/+/req/+`, clock: systemClock, ...react })
  }
}

type Ports = Readonly<Record<string, number>>

async function ask({ admin }: Ports, path: string, init: RequestInit = {}) {
  const response = await fetch(`http://127.0.0.1:${admin}/api/devices/${path}`, { method: 'POST', ...init })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: JSON.parse(text), text }
}

test('every outcome of a command', async () => {
  const { ports } = await aGatewayProcess()
  await answering(ports.mqtt!, ['f-1'])
  const silent = await aDevice(ports.mqtt!, { clientId: 'f-silent' })
  await silent.subscribeAsync(`${where('f-silent')}/+/req/+`, { qos: 1 })
  const deaf = await aDevice(ports.mqtt!, { clientId: 'f-deaf' })
  const gone = await aDevice(ports.mqtt!, { clientId: 'f-gone' })
  await gone.endAsync()
  onTestFinished(() => void [silent, deaf].map((client) => client.end(true)))

  const answered = await ask(ports, 'f-1/commands/ping', { body: 'hello' })
  expect(answered).toMatchObject({ status: 200, body: { device: 'f-1', command: 'ping', status: 'ok', received: 5 } })
  expect(answered.headers.get('x-correlation-id')).toBe(answered.body.id)

  const problems: readonly (readonly [path: string, status: number, code: string])[] = [
    ['nobody/commands/ping', 404, 'device-unknown'],
    ['f-gone/commands/ping', 409, 'device-offline'],
    ['f-deaf/commands/ping', 409, 'device-deaf'],
    ['f-silent/commands/ping?timeout=200ms', 504, 'device-timeout'],
    ['f-1/commands/ping?timeout=soon', 400, 'request-invalid'],
    ['f-1/commands/a%2Fb', 400, 'request-invalid'],
    ['f-1/commands/%2B', 400, 'request-invalid'],
  ]
  for (const [path, status, code] of problems) {
    const began = performance.now()
    const refused = await ask(ports, path)
    expect([path, refused.status, refused.body.type]).toEqual([path, status, `urn:weir:problem:${code}`])
    expect(refused.headers.get('content-type')).toMatch('application/problem+json')
    if (status === 404 || status === 409) expect(performance.now() - began).toBeLessThan(2_000)
  }

  const crowd = await Promise.all(Array.from({ length: 25 }, () => ask(ports, 'f-silent/commands/ping?timeout=1s')))
  expect(crowd.filter(({ status }) => status === 504)).toHaveLength(20)
  const busy = crowd.filter(({ status }) => status === 429)
  expect(busy).toHaveLength(5)
  expect(busy[0]!.headers.get('retry-after')).toBe('1')

  const later = await ask(ports, 'f-1/commands/ping', { headers: { prefer: 'respond-async' } })
  expect(later).toMatchObject({ status: 202, body: { status: 'pending' } })
  const location = `http://127.0.0.1:${ports.admin}${later.headers.get('location')}`
  await expect.poll(async () => (await fetch(location)).status).toBe(200)
  const { correlationId } = later.body
  await expect
    .poll(async () => (await receiveAll(ports.aws!, 'command-replies')).map(({ body }) => JSON.parse(body)))
    .toMatchObject([{ device: 'f-1', command: 'ping', correlationId, status: 'ok' }])

  const once = { headers: { 'idempotency-key': 'k-1' }, body: 'a' }
  const [first, second] = [await ask(ports, 'f-1/commands/ping', once), await ask(ports, 'f-1/commands/ping', once)]
  expect(second.text).toBe(first.text)
  expect((await ask(ports, 'f-1/commands/reboot', once)).status).toBe(422)
  expect((await ask(ports, 'f-1/commands/ping', { headers: { origin: 'https://elsewhere.example' } })).status).toBe(403)

  const five = await aDevice(ports.mqtt!, { clientId: 'f-5', protocolVersion: 5 })
  onTestFinished(() => void five.end(true))
  five.on('message', (_topic, payload, { properties }) => {
    const { responseTopic, correlationData } = properties ?? {}
    five.publish(responseTopic!, payload, { qos: 1, properties: { correlationData: correlationData!, contentType: 'text/plain' } })
  })
  await five.subscribeAsync(`${where('f-5')}/+/req/+`, { qos: 1 })
  expect((await ask(ports, 'f-5/commands/echo', { body: '"back"' })).text).toBe('"back"')

  const admin = ['--admin', `http://127.0.0.1:${ports.admin}`]
  const said = await runWeir(['command', 'f-1', 'ping', 'hi', '--json', ...admin])
  expect(said.code).toBe(0)
  expect(JSON.parse(said.stdout)).toMatchObject({ status: 200, body: { status: 'ok', received: 2 }, correlationId: expect.any(String) })
  const away = await runWeir(['command', 'f-gone', 'ping', ...admin])
  expect(away).toMatchObject({ code: 1, stdout: '', stderr: 'f-gone: the device is not connected (409)\n' })
})

test('a thousand questions at once: each gets the answer of its own device', async () => {
  const devices = Array.from({ length: 100 }, (_, i) => `f-${i}`)
  const { ports } = await aGatewayProcess()
  await answering(ports.mqtt!, devices)
  // The first thousand also pays for a thousand connections and for code that runs for the first time, here, there and in the devices.
  for (const round of ['cold', 'warm']) {
    const times = await askThousand(ports, devices)
    const ordered = times.toSorted((a, b) => a - b)
    console.log(`1,000 commands at once to 100 devices, ${round}: p50 ${ordered[500]!.toFixed(0)} ms, p99 ${ordered[990]!.toFixed(0)} ms`)
  }
})

async function askThousand(ports: Ports, devices: readonly string[]): Promise<readonly number[]> {
  const times: number[] = []
  const all = await Promise.all(
    Array.from({ length: 1_000 }, async (_, n) => {
      const device = devices[n % devices.length]!
      const began = performance.now()
      const answer = await ask(ports, `${device}/commands/ping?timeout=20s`, { body: 'x'.repeat(n) })
      times.push(performance.now() - began)
      return { n, device, answer }
    }),
  )
  for (const { n, device, answer } of all) {
    expect(answer).toMatchObject({ status: 200, body: { device, received: n, id: answer.headers.get('x-correlation-id') } })
  }
  return times
}
