// `weir gateway` with its own broker and with somebody else's, as a program.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { aMosquitto, hasMosquitto } from '../helpers/mosquitto.ts'
import { aDevice } from '../helpers/mqtt-client.ts'
import { aDirectory, aGatewayProcess, ask, askUntil, startWeir } from '../helpers/program.ts'
import { anSqs, receiveAll } from '../helpers/sqs.ts'
import { mintForTest } from '../helpers/test-certificates.ts'

const topic = 'dt/coldchain/acme/site-1/f-1/telemetry'

/** Prints which of these packages were loaded, when the process ends. */
const watchImports = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module'
  const loaded = new Set()
  registerHooks({ load(url, context, next) {
    const [, name] = /node_modules\\/(aedes|mqtt|aws-crt|aws-iot-device-sdk-v2)\\//.exec(url) ?? []
    if (name) loaded.add(name)
    return next(url, context)
  } })
  process.on('exit', () => console.log('loaded ' + [...loaded].sort()))
`)}`

test('with the embedded broker, neither MQTT.js nor the client of AWS IoT Core is loaded', async () => {
  const gateway = await aGatewayProcess([], { env: { ...process.env, NODE_OPTIONS: `--import=${watchImports}` } })
  gateway.child.kill('SIGTERM')
  expect(await gateway.line('loaded ')).toBe('loaded aedes')
})

const doors = ['http', 'websocket', 'admin'].flatMap((door) => [`--${door}-port`, '0'])

test.skipIf(!hasMosquitto)(
  `it consumes from mosquitto, is degraded while that is away, and goes on where it was${hasMosquitto ? '' : ' (skipped: mosquitto is not installed)'}`,
  async () => {
    const [mosquitto, sqs, dir] = [await aMosquitto(), await anSqs(), aDirectory()]
    const aws = ['--aws-endpoint', `http://127.0.0.1:${sqs.port}`]
    const start = async () => {
      const args = [
        'gateway',
        ...doors,
        ...aws,
        '--data-dir',
        dir,
        '--broker',
        `mqtt://127.0.0.1:${mosquitto.port}`,
        '--broker-filter',
        'dt/#',
      ]
      const running = startWeir(args, { env: { ...process.env, NODE_OPTIONS: `--import=${watchImports}` } })
      const { ports } = JSON.parse(await running.line('gateway.ready'))
      expect(ports).not.toHaveProperty('mqtt')
      return { ...running, admin: ports.admin as number }
    }
    const publish = async (text: string) => {
      const device = await aDevice(mosquitto.port, { clientId: 'f-1' })
      await device.publishAsync(topic, JSON.stringify({ text }), { qos: 1 })
      await device.endAsync()
    }
    let gateway = await start()
    const clientId = readFileSync(join(dir, 'client-id'), 'utf8').trim()
    expect(JSON.parse(await gateway.line('broker.connected'))).toMatchObject({ clientId, resumed: false })
    await publish('one')
    await askUntil(gateway.admin, '/api/ledger', ({ delivered }) => delivered === 1)

    await mosquitto.stop()
    await askUntil(gateway.admin, '/healthz', ({ status }) => status === 'degraded')
    expect(await ask(gateway.admin, '/readyz')).toEqual({ ready: true })
    await mosquitto.restart()
    await askUntil(gateway.admin, '/healthz', ({ status }) => status === 'ok')
    await publish('two')
    await askUntil(gateway.admin, '/api/ledger', ({ delivered }) => delivered === 2)

    gateway.child.kill('SIGTERM')
    expect(await gateway.line('loaded ')).toBe('loaded mqtt')
    await gateway.finished
    await publish('three')
    gateway = await start()
    expect(JSON.parse(await gateway.line('broker.connected'))).toMatchObject({ clientId, resumed: true })
    await askUntil(gateway.admin, '/api/ledger', ({ delivered }) => delivered === 1)
    gateway.child.kill('SIGTERM')
    expect((await gateway.finished).code).toBe(0)
    const bodies = (await receiveAll(sqs.port, 'telemetry')).map(({ body }) => JSON.parse(body))
    expect(bodies.map(({ text }) => text)).toEqual(['one', 'two', 'three'])
    expect(bodies[0]).toMatchObject({ tenant: 'acme' })
  },
)

test.skipIf(!hasMosquitto)(
  `as a client of AWS IoT Core it is loaded, consumes, and ends when it is told to${hasMosquitto ? '' : ' (skipped: mosquitto is not installed)'}`,
  async () => {
    const { folder: certs } = await mintForTest(['gateway'])
    const [mosquitto, sqs, dir] = [await aMosquitto({ certs }), await anSqs(), aDirectory()]
    const pair = { cert: `${certs}/devices/gateway.pem`, key: `${certs}/devices/gateway.key` }
    const broker = { kind: 'iot-core', endpoint: 'localhost', port: mosquitto.port, filters: ['dt/#'], ca: `${certs}/ca.pem`, ...pair }
    writeFileSync(join(dir, 'gateway.json'), JSON.stringify({ broker, dataDir: join(dir, 'data') }))
    const aws = ['--aws-endpoint', `http://127.0.0.1:${sqs.port}`]
    const gateway = startWeir(['gateway', '--config', join(dir, 'gateway.json'), ...doors, ...aws])
    const { ports } = JSON.parse(await gateway.line('gateway.ready'))
    const [ca, cert, key] = [`${certs}/ca.pem`, pair.cert, pair.key].map((path) => readFileSync(path))
    const device = await aDevice(mosquitto.port, { clientId: 'f-1', protocol: 'mqtts', ca: ca!, cert: cert!, key: key! })
    await device.publishAsync(topic, JSON.stringify({ text: 'one' }), { qos: 1 })
    await device.endAsync()
    await askUntil(ports.admin, '/api/ledger', ({ delivered }) => delivered === 1)
    gateway.child.kill('SIGTERM')
    expect((await gateway.finished).code).toBe(0)
  },
)
