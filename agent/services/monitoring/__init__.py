"""What people and other systems are told: health, alerts, webhooks; what is done once a day."""
