// AWS's device SDK as the gateway's client, held against the contract of all brokers: mosquitto with mutual TLS stands for AWS IoT Core.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll } from 'vitest'
import { iotCoreSchema } from '../../../gateway/broker/config.ts'
import { createIotCoreBroker } from '../../../gateway/broker/iot-core.ts'
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

const subject = (): RemoteCase => {
  const path = (name: string) => join(certs, name)
  const read = (name: string) => readFileSync(path(name))
  return {
    mosquitto: { certs },
    device: { protocol: 'mqtts', ca: read('ca.pem'), cert: read('devices/device.pem'), key: read('devices/device.key') },
    create: (port, options) => {
      const files = { ca: path('ca.pem'), cert: path('devices/gateway.pem'), key: path('devices/gateway.key') }
      const config = iotCoreSchema.parse({ kind: 'iot-core', endpoint: '127.0.0.1', port, filters: ['#'], ...files })
      return createIotCoreBroker(config, options)
    },
  }
}

testBroker({ name: 'iot-core', skip, create: (ingest) => aRemoteBroker(subject(), ingest) })
testRemoteBroker({ name: 'iot-core', skip, subject })
