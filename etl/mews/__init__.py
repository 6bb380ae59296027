"""The Mews Connector API: one transport, requests and answers, nothing of orders."""
