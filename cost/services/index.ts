// The services that can be priced from raw usage.
import { apiGateway } from './api-gateway.ts'
import { cloudWatchLogs, ec2, fargate, lambda } from './compute.ts'
import { iotCore } from './iot-core.ts'
import { elb, natGateway } from './network.ts'
import { sns, sqs } from './queues.ts'

export const services = { iotCore, apiGateway, sqs, sns, lambda, elb, natGateway, fargate, ec2, cloudWatchLogs } as const

export type ServiceName = keyof typeof services
export const serviceNames = Object.keys(services) as readonly ServiceName[]
