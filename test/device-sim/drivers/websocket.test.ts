import { describe } from 'vitest'
import { websocket } from '../../../device-sim/drivers/websocket.ts'
import { testDriver } from '../../contract/driver.ts'
import { startWebSocketDoor } from '../../helpers/device-doors.ts'

describe('websocket', () =>
  testDriver({
    kind: websocket,
    hasSubscriptions: false,
    async start() {
      const door = await startWebSocketDoor()
      return { ...door, url: `ws://127.0.0.1:${door.port}` }
    },
  }))
