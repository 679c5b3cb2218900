import { SerializerSelector } from '@fastify/fast-json-stringify-compiler';
import type { FastifySerializerCompiler } from 'fastify';

const compile = SerializerSelector()();

/**
 * Fastify's own serializers, each made when its endpoint answers for the first time: to make all took a sixth of the processor time of a
 * server's start (5 ms each), and few are ever used by one process.
 */
export const serializerCompiler: FastifySerializerCompiler<unknown> = (route) => {
  let serialize: ((value: unknown) => string) | undefined;
  return (value) => {
    serialize ??= compile({ ...route, httpStatus: route.httpStatus ?? '' });
    return serialize(value);
  };
};
