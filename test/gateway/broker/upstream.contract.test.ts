// Any MQTT broker, held against the contract of all brokers: mosquitto over TCP and TLS, MQTT 3.1.1 and 5.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe } from 'vitest'
import { upstreamSchema } from '../../../gateway/broker/config.ts'
import { createUpstreamBroker } from '../../../gateway/broker/upstream.ts'
import { testBroker } from '../../contract/broker.ts'
import { testRemoteBroker } from '../../contract/remote-broker.ts'
import { hasMosquitto } from '../../helpers/mosquitto.ts'
import { aRemoteBroker, type RemoteCase } from '../../helpers/remote-broker.ts'
import { mintForTest } from '../../helpers/test-certificates.ts'

const skip = hasMosquitto ? undefined : 'mosquitto is not installed'
let certs = ''

beforeAll(async () => {
  certs = (await mintForTest(['gateway', 'device'])).folder
})

const plain = (protocolVersion: '5' | '3.1.1'): RemoteCase => ({
  create: (port, options) =>
    createUpstreamBroker(upstreamSchema.parse({ kind: 'upstream', url: `mqtt://127.0.0.1:${port}`, protocolVersion }), options),
})

const secure = (protocolVersion: '5' | '3.1.1'): RemoteCase => {
  const pair = (name: string) => ({ cert: join(certs, `devices/${name}.pem`), key: join(certs, `devices/${name}.key`) })
  const ca = join(certs, 'ca.pem')
  const read = (path: string) => readFileSync(path)
  return {
    mosquitto: { certs },
    device: { protocol: 'mqtts', ca: read(ca), cert: read(pair('device').cert), key: read(pair('device').key) },
    create: (port, options) =>
      createUpstreamBroker(
        upstreamSchema.parse({ kind: 'upstream', url: `mqtts://127.0.0.1:${port}`, protocolVersion, tls: { ca, ...pair('gateway') } }),
        options,
      ),
  }
}

describe.each(['5', '3.1.1'] as const)('MQTT %s', (version) => {
  testBroker({ name: 'upstream, TCP', skip, create: (ingest) => aRemoteBroker(plain(version), ingest) })
  testBroker({ name: 'upstream, mutual TLS', skip, create: (ingest) => aRemoteBroker(secure(version), ingest) })
  testRemoteBroker({ name: 'upstream', skip, subject: () => plain(version) })
})
