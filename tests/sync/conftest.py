from tests.mqtt_broker import broker

__all__ = ["broker"]
