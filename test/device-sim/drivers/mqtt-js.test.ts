import { describe } from 'vitest'
import { mqttJs } from '../../../device-sim/drivers/mqtt-js.ts'
import { testDriver } from '../../contract/driver.ts'
import { startBroker } from '../../helpers/device-doors.ts'

describe('mqtt-js', () => testDriver({ kind: mqttJs, start: () => startBroker() }))
