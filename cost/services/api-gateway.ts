// API Gateway: HTTP, REST and WebSocket APIs.
import { z } from 'zod'
import { bytesPerGB, steps } from '../metering.ts'
import { incrementBytes } from '../price-book.ts'
import { amount, count, monthly, service } from './service.ts'

export const apiGateway = service({
  fields: {
    apiType: z
      .string()
      .toLowerCase()
      .pipe(z.enum(['http', 'rest', 'websocket'])),
    requestsPerMonth: count,
    requestsPerDeviceDay: count,
    requestBytes: amount.default(0),
    messagesPerMonth: count,
    messagesPerDeviceDay: count,
    payloadBytes: amount.default(0),
    connectionMinutesPerMonth: count,
    connectedMinutesPerDeviceDay: count,
    dataOutBytesPerRequest: amount.default(0),
  },
  usage(inputs, book) {
    const requests = monthly(inputs, inputs.requestsPerMonth, inputs.requestsPerDeviceDay)
    const messages = monthly(inputs, inputs.messagesPerMonth, inputs.messagesPerDeviceDay)
    const calls = inputs.apiType === 'websocket' ? messages : requests
    const dataOut = { 'dataTransfer.internetOut': (calls * inputs.dataOutBytesPerRequest) / bytesPerGB }
    if (inputs.apiType === 'rest') return { 'apiGateway.restRequests': requests, ...dataOut }
    if (inputs.apiType === 'http')
      return {
        'apiGateway.httpRequests': requests * steps(inputs.requestBytes, incrementBytes(book, 'apiGateway.httpRequests')),
        ...dataOut,
      }
    return {
      'apiGateway.webSocketMessages': messages * steps(inputs.payloadBytes, incrementBytes(book, 'apiGateway.webSocketMessages')),
      'apiGateway.webSocketConnectionMinutes': monthly(inputs, inputs.connectionMinutesPerMonth, inputs.connectedMinutesPerDeviceDay),
      ...dataOut,
    }
  },
})
