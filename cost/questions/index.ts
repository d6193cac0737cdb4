// The ten questions a team asks before it chooses, in their order.

import { againstMqtt } from './against-mqtt.ts'
import { airtimeCosts } from './airtime.ts'
import { connectionFee } from './connection-fee.ts'
import { packing } from './packing.ts'
import { payloadSteps } from './payload-steps.ts'
import { queueCosts } from './queues.ts'
import { regions } from './regions.ts'
import { selfHosted } from './self-hosted.ts'
import { unverified } from './unverified.ts'
import { volumeTiers } from './volume-tiers.ts'

export const questions = [
  connectionFee,
  againstMqtt,
  payloadSteps,
  volumeTiers,
  packing,
  selfHosted,
  queueCosts,
  airtimeCosts,
  regions,
  unverified,
] as const
